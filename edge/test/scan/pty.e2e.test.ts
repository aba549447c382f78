import { existsSync } from 'node:fs';
import { simulateMeter } from '@gridtokenx/simulators';
import { expect, test } from 'vitest';
import { scanCommandOf } from '../../src/cli/options.js';
import { scan } from '../../src/cli/scan-command.js';
import { loadGatewayConfig } from '../../src/wiring/config.js';
import { ScanBench, SITE } from '../support/scan-bench.js';

const bench = new ScanBench();

test('a scan names a second master on a real pty', {
  timeout: 60_000,
}, async () => {
  const meter = simulateMeter({ profile: 'eastron-sdm630', unit: 1, settings: { baud: 9_600 } });
  const secondMaster = { everyMs: 500, unit: 1, fn: 4, address: 0, count: 2 } as const;
  const bus = bench.start({ meters: [meter], secondMaster });
  const out = bench.path('gateway.yaml');
  const command = scanCommandOf(bus.path, { ...SITE, out, base: bench.base(), serial: [] });
  await expect(scan(command, new AbortController().signal)).rejects.toThrow(
    /another device polls meters on this line \(unit 1/,
  );
});

test('a scan that was stopped writes nothing, goes on from there, and writes what was found', {
  timeout: 60_000,
}, async () => {
  const meters = [2, 5].map((unit) => simulateMeter({ profile: 'orno-or-we-516', unit, settings: { baud: 9_600 } }));
  const bus = bench.start({ meters });
  const out = bench.path('gateway.yaml');
  const serial = ['2=1', '5=2'];
  const options = { ...SITE, out, base: bench.base(), serial, model: ['2=OR-WE-516', '5=OR-WE-517'] };
  const stop = new AbortController();
  bench.onFound = () => stop.abort();
  await scan(scanCommandOf(bus.path, options), stop.signal);
  expect(bench.said.filter((text) => text.startsWith('found after'))).toHaveLength(1);
  expect(existsSync(out)).toBe(false);
  bench.onFound = () => {};
  bench.said.length = 0;
  await scan(scanCommandOf(bus.path, { ...options, expect: 2 }), new AbortController().signal);
  expect(bench.said[0]).toMatch(/continuing where the last scan of this port stopped: .* 1 found/);
  expect(loadGatewayConfig(out).meters.map(({ unit, model }) => [unit, model])).toEqual([
    [2, 'OR-WE-516'],
    [5, 'OR-WE-517'],
  ]);
});
