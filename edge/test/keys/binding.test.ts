import { Random } from '@gridtokenx/testing-kit/random';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bindingOf, bindTo, isBoundHere } from '../../src/adapters/keys/binding.js';
import { type HardwareNumber, readHardware, type SystemFiles } from '../../src/adapters/keys/hardware.js';

interface Interface {
  readonly address: string;
  readonly device?: string;
  readonly assigned?: string;
}

/** A machine's files: texts by path, and its network interfaces. */
function machine(texts: Record<string, string>, interfaces: Record<string, Interface> = {}): SystemFiles {
  const all = new Map(Object.entries(texts));
  for (const [name, { address, assigned = '0' }] of Object.entries(interfaces)) {
    all.set(`/sys/class/net/${name}/address`, `${address}\n`);
    all.set(`/sys/class/net/${name}/addr_assign_type`, `${assigned}\n`);
  }
  return {
    text: (path) => all.get(path) ?? null,
    names: (path) => (path === '/sys/class/net' ? Object.keys(interfaces) : []),
    real: (path) => interfaces[path.split('/')[4] ?? '']?.device ?? null,
  };
}

const BOARD = '/proc/device-tree/serial-number';
const PI_CPU = 'processor\t: 0\nmodel name\t: ARMv7\nSerial\t\t: 10000000ABCDEF01\n';
const ONBOARD = '/sys/devices/platform/soc/fd580000.ethernet';
const DONGLE = '/sys/devices/platform/soc/usb1/1-1';

describe('the numbers of the hardware', () => {
  test('are the serial number of the board, the CPU, then physical addresses, those of USB last', () => {
    const files = machine(
      { [BOARD]: '10000000abcdef01\0', '/proc/cpuinfo': PI_CPU },
      {
        eth1: { address: '00:11:22:33:44:55', device: DONGLE },
        lo: { address: '00:00:00:00:00:00', device: ONBOARD },
        veth0: { address: '0a:00:00:00:00:01' },
        wlan0: { address: 'DC:A6:32:00:00:01', device: ONBOARD },
        wlan1: { address: '02:00:00:00:00:09', device: ONBOARD, assigned: '1' },
      },
    );
    expect(readHardware(files)).toEqual([
      { source: 'board serial', value: '10000000abcdef01' },
      { source: 'cpu serial', value: '10000000abcdef01' },
      { source: 'network address', value: 'dc:a6:32:00:00:01' },
      { source: 'network address', value: '00:11:22:33:44:55' },
    ]);
  });

  test.each(['', '\0', '0000000000000000', 'To be filled by O.E.M.\n', 'Default string', 'None', 'FFFFFFFF'])(
    'do not have %j, which many boards share',
    (text) => {
      expect(readHardware(machine({ [BOARD]: text, '/proc/cpuinfo': 'Serial\t\t: 0000000000000000\n' }))).toEqual([]);
    },
  );

  test('of this machine can be read, and are the same twice', () => {
    const found = readHardware();
    expect(readHardware()).toEqual(found);
    for (const { value } of found) expect(value).toMatch(/^\S/);
  });
});

describe('a binding', () => {
  const pi: HardwareNumber[] = [
    { source: 'board serial', value: '10000000abcdef01' },
    { source: 'cpu serial', value: '10000000abcdef01' },
    { source: 'network address', value: 'dc:a6:32:00:00:01' },
  ];
  const other: HardwareNumber[] = [{ source: 'board serial', value: '10000000abcdef02' }];
  const random = () => new Random(4, 'binding');

  test('holds on its own hardware only, and never has the number itself', () => {
    const binding = bindTo(pi, random());
    expect(binding).toMatchInlineSnapshot(`
      {
        "hash": "2e34e024f740b8a1f9fe22d918cf398f",
        "salt": "b319911671d05868dc7d9fe2ff5745b1",
        "source": "board serial",
      }
    `);
    expect(isBoundHere(binding, pi)).toBe(true);
    expect(isBoundHere(binding, other)).toBe(false);
    expect(isBoundHere(binding, [])).toBe(false);
    expect(JSON.stringify(binding)).not.toContain('abcdef01');
  });

  test('made on the machine holds in its container, which shows the CPU only', () => {
    expect(isBoundHere(bindTo(pi, random()), pi.slice(1, 2))).toBe(true);
  });

  test('to a network address holds when interfaces are added or change their places', () => {
    const binding = bindTo(pi.slice(2), random());
    expect(isBoundHere(binding, [{ source: 'network address', value: '00:11:22:33:44:55' }, ...pi.slice(2)])).toBe(
      true,
    );
  });

  test('without hardware, or of an earlier version, is shown as unbound and holds everywhere', () => {
    for (const binding of [bindTo([], random()), bindingOf(undefined)]) {
      expect(binding).toEqual({ source: 'unbound' });
      expect(binding && isBoundHere(binding, other)).toBe(true);
    }
  });

  test('reads what it wrote, and takes nothing else', () => {
    const binding = bindTo(pi, random());
    expect(bindingOf(JSON.parse(JSON.stringify(binding)))).toEqual(binding);
    for (const value of [null, 1, 'unbound', {}, { ...binding, source: 'machine-id' }, { ...binding, hash: 'x' }])
      expect(bindingOf(value)).toBeNull();
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const found = bindingOf(value ?? null);
        expect(found === null || found.source === 'unbound').toBe(true);
      }),
    );
  });
});
