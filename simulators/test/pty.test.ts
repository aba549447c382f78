import { existsSync, lstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SerialPort } from 'serialport';
import { afterEach, describe, expect, test } from 'vitest';
import { openLinuxPty, PtyError, type PtyMaster, simulateMeter, startPtyBus } from '../src/index.js';

const require = createRequire(import.meta.url);
const ModbusRTU = require('modbus-serial') as typeof import('modbus-serial').default;

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function opened(): PtyMaster {
  const pty = openLinuxPty();
  cleanups.push(() => pty.close());
  return pty;
}

function open(path: string, baudRate: number): Promise<SerialPort> {
  const port = new SerialPort({ path, baudRate, parity: 'even', autoOpen: false, lock: true });
  return new Promise((resolve, reject) => port.open((error) => (error ? reject(error) : resolve(port))));
}
const close = (port: SerialPort) => new Promise<void>((resolve) => port.close(() => resolve()));

async function client(path: string, baudRate: number, unit: number) {
  const one = new ModbusRTU();
  await one.connectRTUBuffered(path, { baudRate });
  one.setID(unit);
  one.setTimeout(1_000);
  cleanups.push(() => new Promise<void>((resolve) => one.close(() => resolve())));
  return one;
}

describe.runIf(process.platform === 'linux')('a pty whose master is ours', () => {
  test('passes every byte unchanged in both directions, and shows the speed that was set', async () => {
    const pty = opened();
    expect(pty.baud()).toBe(38_400);
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    pty.onBytes((bytes) => pty.write(bytes));
    for (const baud of [1_200, 9_600, 115_200]) {
      const port = await open(pty.path, baud);
      const echoed = await new Promise<Buffer>((resolve) => {
        let got = Buffer.alloc(0);
        port.on('data', (bytes: Buffer) => {
          got = Buffer.concat([got, bytes]);
          if (got.length >= all.length) resolve(got);
        });
        port.write(all);
      });
      expect(echoed).toEqual(all);
      expect(pty.baud()).toBe(baud);
      // The client closes and reopens the device: the bus is still there.
      await close(port);
    }
  });

  test('bytes pass unchanged before a client set anything', async () => {
    const pty = opened();
    const { openSync, readSync, writeSync, closeSync, constants } = await import('node:fs');
    const fd = openSync(pty.path, constants.O_RDWR | constants.O_NOCTTY);
    cleanups.push(() => closeSync(fd));
    const got = new Promise<Uint8Array>((resolve) => pty.onBytes(resolve));
    writeSync(fd, Uint8Array.of(0x0a, 0x0d, 0x03, 0x11, 0x00));
    expect([...(await got)]).toEqual([0x0a, 0x0d, 0x03, 0x11, 0x00]);
    pty.write(Uint8Array.of(0x0d, 0x0a, 0x04, 0x13));
    const room = Buffer.alloc(16);
    expect(readSync(fd, room)).toBe(4);
    expect([...room.subarray(0, 4)]).toEqual([0x0d, 0x0a, 0x04, 0x13]);
  });
});

describe.runIf(process.platform === 'linux')('a bus of simulated meters on a pty', () => {
  test('is read by modbus-serial over serialport, each meter at its own speed', async () => {
    const bus = startPtyBus({
      meters: [
        simulateMeter({ profile: 'eastron-sdm630', unit: 1, serial: 0x0102_0304 }),
        simulateMeter({ profile: 'abb-b2x', unit: 7, settings: { baud: 19_200 } }),
      ],
    });
    cleanups.push(() => bus.close());
    const slow = await client(bus.path, 9_600, 1);
    expect((await slow.readHoldingRegisters(64_512, 2)).data).toEqual([0x0102, 0x0304]);
    expect(bus.masterBaud()).toBe(9_600);
    slow.setID(7);
    slow.setTimeout(150);
    await expect(slow.readHoldingRegisters(35_168, 2)).rejects.toThrow(/timed out/i);
    await new Promise<void>((resolve) => slow.close(() => resolve()));
    const fast = await client(bus.path, 19_200, 7);
    expect((await fast.readHoldingRegisters(35_168, 2)).buffer.toString()).toBe('B21\0');
    expect(bus.line.requests).toEqual(new Map([[3, 3]]));
    expect(bus.line.writes).toBe(0);
  });

  test('takes the time that its characters take', async () => {
    const bus = startPtyBus({ meters: [simulateMeter({ profile: 'eastron-sdm120', unit: 1, turnaroundMs: 5 })] });
    cleanups.push(() => bus.close());
    const one = await client(bus.path, 2_400, 1);
    const began = performance.now();
    await one.readInputRegisters(0, 20);
    // 8 + 45 characters of 10 bits.
    expect(performance.now() - began).toBeGreaterThan((53 * 10_000) / 2_400);
  });

  test('is found by its link, which goes with it; a file is never replaced', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gtx-pty-'));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    const link = join(folder, 'bus-1');
    const meters = [simulateMeter({ profile: 'eastron-sdm630', unit: 1 })];
    const bus = startPtyBus({ meters, link });
    expect(bus.path).toBe(link);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    const one = await client(link, 9_600, 1);
    expect((await one.readInputRegisters(70, 2)).data).toHaveLength(2);
    await new Promise<void>((resolve) => one.close(() => resolve()));
    await bus.close();
    expect(existsSync(link)).toBe(false);
    writeFileSync(link, 'mine');
    expect(() => startPtyBus({ meters, link })).toThrow(PtyError);
  });
});
