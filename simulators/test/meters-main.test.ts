import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '@gridtokenx/testing-kit/free-port';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const ModbusRTU = createRequire(import.meta.url)('modbus-serial') as typeof import('modbus-serial').default;
const root = fileURLToPath(new URL('../../', import.meta.url));
let dir: string;
const running: ChildProcess[] = [];
beforeAll(() => void execFileSync(process.execPath, [join(root, 'tools/build.mjs')]));
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'gridtokenx-meters-'));
});
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  rmSync(dir, { recursive: true });
});

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly code: Promise<number | null>;
  readonly ready: Promise<unknown>;
}

function start(config: string): Started {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = fork(join(root, 'simulators/dist/meters-main.js'), ['run', '--config', config], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    execArgv: [],
    env,
  });
  running.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (bytes: Buffer) => (output += bytes.toString()));
  const code = once(child, 'close').then(([value]) => value as number | null);
  return { child, output: () => output, code, ready: Promise.race([once(child, 'message'), code]) };
}

async function configFile(
  change: (config: Record<string, unknown>) => void = () => {},
): Promise<{ path: string; http: number }> {
  const [port, http] = [await freePort(), await freePort()];
  const clock = join(dir, 'clock.json');
  const now = Date.now();
  writeFileSync(
    clock,
    JSON.stringify({
      version: 1,
      speed: 600,
      anchorSimMs: 900_000,
      anchorRealMs: now,
      reservedThroughMs: 900_000_000,
      segments: [{ simStartMs: 900_000, positionStartMs: 0, positionEndMs: null }],
    }),
  );
  const profiles = join(dir, 'profile.csv');
  const rows = Array.from({ length: 200 }, (_, i) => `a,${i * 900},${600 * (i % 2)},${900 * ((i + 1) % 2)}`);
  writeFileSync(profiles, `home,time,consumption_wh,production_wh\n${rows.join('\n')}\n`);
  const meter = { home: 'a', model: 'eastron-sdm120', transport: 'tcp', host: '127.0.0.1', port, unit: 1, serial: 9 };
  const config: Record<string, unknown> = {
    clock,
    profiles,
    http: { host: '127.0.0.1', port: http },
    meters: [{ ...meter, initial_import_wh: 5, initial_export_wh: '7' }],
  };
  change(config);
  const path = join(dir, 'meters.json');
  writeFileSync(path, JSON.stringify(config, null, 2));
  return { path, http };
}

/** Moves a meter of the configuration to a bus. */
const onBus = (meter: object = {}) => {
  const { host: _, port: __, ...rest } = meter as Record<string, unknown>;
  return { ...rest, transport: 'pty', pty: 'bus' };
};

const registers = async (http: number): Promise<{ import_wh: number; export_wh: number }> => {
  const { homes } = (await (await fetch(`http://127.0.0.1:${http}/readyz`)).json()) as {
    homes: Record<string, string>[];
  };
  return { import_wh: Number(homes[0]?.import_wh), export_wh: Number(homes[0]?.export_wh) };
};

describe('the process of the simulated meters', () => {
  test('serves, stops cleanly, and after kill -9 no register is lower', async () => {
    const { path, http } = await configFile();
    const first = start(path);
    await first.ready;
    const before = await registers(http);
    expect(before.export_wh).toBeGreaterThanOrEqual(7);
    first.child.kill('SIGKILL');
    await first.code;
    const second = start(path);
    await second.ready;
    const after = await registers(http);
    expect(after.import_wh >= before.import_wh && after.export_wh > before.export_wh).toBe(true);
    second.child.kill('SIGTERM');
    expect(await second.code).toBe(0);
  });

  test.runIf(process.platform === 'linux')('puts meters on a serial bus, and lets them fail on request', async () => {
    const link = join(dir, 'bus');
    const { path, http } = await configFile((c) => {
      const [meter] = c.meters as object[];
      const line = { baud: 19_200, parity: 'even', stop_bits: 1 };
      c.meters = [
        { ...onBus(meter), line, turnaround_ms: [1, 3] },
        { ...onBus(meter), model: 'abb-b2x', unit: 2, line },
      ];
      c.ptys = { bus: { link } };
    });
    const { child, code, ready, output } = start(path);
    await ready;
    const client = new ModbusRTU();
    await client.connectRTUBuffered(link, { baudRate: 19_200 });
    client.setTimeout(1_000);
    client.setID(1);
    expect((await client.readHoldingRegisters(64_512, 2)).data, output()).toEqual([0, 9]);
    client.setID(2);
    expect((await client.readHoldingRegisters(35_168, 2)).buffer.toString()).toBe('B21\0');
    const ask = (body: object) =>
      fetch(`http://127.0.0.1:${http}/faults`, { method: 'POST', body: JSON.stringify(body) });
    client.setID(1);
    expect((await ask({ home: 'a', fault: 'exception' })).status).toBe(204);
    await expect(client.readHoldingRegisters(64_512, 2)).rejects.toThrow(/exception/i);
    expect((await client.readHoldingRegisters(64_512, 2)).data).toEqual([0, 9]);
    const refused = await ask({ home: 'z', fault: 'drop' });
    expect([refused.status, await refused.json()]).toEqual([400, { error: 'no home "z"; there is: a, a' }]);
    expect((await ask({ home: 'a', fault: 'fire' })).status).toBe(400);
    await new Promise<void>((resolve) => client.close(() => resolve()));
    child.kill('SIGTERM');
    expect(await code).toBe(0);
    expect(existsSync(link)).toBe(false);
  });

  test('ends when its parent is gone', async () => {
    const { path } = await configFile();
    const { child, ready } = start(path);
    await ready;
    // Not 'close': after this side closed the channel, that event does not come any more.
    const exited = once(child, 'exit');
    child.disconnect();
    expect((await exited)[0]).toBe(0);
  });

  test.each<[string, (config: Record<string, unknown>) => void, RegExp]>([
    ['an unknown key', (c) => Object.assign(c, { speed: 5 }), /meters\.json:\d+: speed: /],
    [
      'an unknown model',
      (c) => Object.assign((c.meters as object[])[0] ?? {}, { model: 'x' }),
      /meters\.json:11: meters\.0\.model: /,
    ],
    [
      'a home that is not in the profile',
      (c) => Object.assign((c.meters as object[])[0] ?? {}, { home: 'z' }),
      /no home "z".*it has: a/,
    ],
    [
      'a high initial reading',
      (c) => Object.assign((c.meters as object[])[0] ?? {}, { initial_import_wh: 16_000_000 }),
      /below 16,000 kWh/,
    ],
    ['no clock', (c) => Object.assign(c, { clock: '/nonexistent/clock.json' }), /clock\.json/],
    [
      'a probability above 1',
      (c) => Object.assign((c.meters as object[])[0] ?? {}, { faults: { drop: 2 } }),
      /meters\.json:\d+: meters\.0\.faults\.drop: /,
    ],
    [
      'a bus that is not there',
      (c) => (c.meters = [{ ...onBus((c.meters as object[])[0]), pty: 'z' }]),
      /no bus "z" under ptys; there is: nothing/,
    ],
    [
      'the same unit twice',
      (c) => (c.meters as object[]).push({ ...(c.meters as object[])[0] }),
      /two meters with unit 1/,
    ],
  ])('refuses %s in one line with exit code 2', async (_name, change, expected) => {
    const { path } = await configFile(change);
    const { code, output } = start(path);
    expect(await code).toBe(2);
    expect(output()).toMatch(expected);
    expect(output().trim().split('\n')).toHaveLength(1);
  });

  test('says which address is taken', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as { port: number };
    const { path } = await configFile((c) => Object.assign((c.meters as object[])[0] ?? {}, { port }));
    const { code, output } = start(path);
    expect(await code).toBe(2);
    expect(output()).toContain(`127.0.0.1:${port} is taken`);
    await new Promise((resolve) => blocker.close(resolve));
  });
});
