/**
 * Copies a gateway's card to a second board, as people do for a spare or a second site. Both boards would sign with the
 * same keys, and the oracle would suspend them.
 */
import { chmodSync, cpSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { provedVerifier } from '@gridtokenx/runtime/node';
import { GATEWAY_V1 } from '@gridtokenx/testing-kit/gateway-directory';
import { temporaryDirectory } from '@gridtokenx/testing-kit/processes';
import { Random } from '@gridtokenx/testing-kit/random';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HardwareNumber } from '../../../src/adapters/keys/hardware.js';
import { MAX_REASON, rebind } from '../../../src/wiring/binding.js';
import { type GatewayConfig, parseGatewayConfig } from '../../../src/wiring/config.js';
import { keyStore, openBuses, setUp } from '../../../src/wiring/setup.js';

const boardOf = (serial: string) => (): readonly HardwareNumber[] => [{ source: 'board serial', value: serial }];
const FIRST = boardOf('10000000aaaaaaaa');
const SECOND = boardOf('10000000bbbbbbbb');
const NONE = () => [];
const TO_BIND = { random: new Random(5, 'bind'), nowMs: Date.UTC(2026, 0, 1) };
let directory: ReturnType<typeof temporaryDirectory>;
let config: GatewayConfig;

beforeEach(() => {
  directory = temporaryDirectory();
  const data = join(directory.path, 'data');
  cpSync(join(GATEWAY_V1, 'data'), data, { recursive: true });
  for (const name of readdirSync(join(data, 'keys'))) chmodSync(join(data, 'keys', name), 0o600);
  const parsed = parseGatewayConfig(readFileSync(join(GATEWAY_V1, 'config.yaml'), 'utf8'), 'config.yaml');
  config = { ...parsed, data_dir: data };
});
afterEach(() => directory.remove());

/** Opens everything as `run` does, on a board; resolves with what the status shows. */
async function start(hardware: () => readonly HardwareNumber[]) {
  const time = new VirtualClock({ startAtMs: Date.UTC(2026, 0, 1, 10, 0) });
  const ports = { readingClock: time.reading, clock: time, verifier: provedVerifier(), hardware };
  const { boundTo, meters, spool } = await setUp(config, {
    ...{ ...ports, counters: { add: () => {} }, buses: openBuses(config, time), committed: () => {} },
  });
  await spool.close();
  return { boundTo, meters: meters.length };
}

/** The bytes of every file below the data directory. */
const content = () =>
  readdirSync(config.data_dir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(config.data_dir, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => [path, readFileSync(path).toString('hex')]);

test('keys of an earlier version, and of a board without numbers, are unbound and start everywhere', async () => {
  expect(await start(FIRST)).toEqual({ boundTo: 'unbound', meters: 2 });
  await rebind(keyStore(config), 'no numbers here', { hardware: NONE, ...TO_BIND });
  expect(await start(SECOND)).toEqual({ boundTo: 'unbound', meters: 2 });
});

test('a bound card starts on its board, refuses another, and leaves every file as it was', async () => {
  await rebind(keyStore(config), 'bound at the first visit', { hardware: FIRST, ...TO_BIND });
  expect(await start(FIRST)).toEqual({ boundTo: 'board serial', meters: 2 });
  const before = content();
  await expect(start(SECOND)).rejects.toThrow(
    `the keys in ${config.data_dir}/keys are bound to another machine (board serial): a copied card signs nothing`,
  );
  await expect(start(SECOND)).rejects.toMatchObject({ name: 'StartError' });
  await expect(start(NONE)).rejects.toThrow('this machine shows none; put it back');
  expect(content()).toEqual(before);
  expect(await start(FIRST)).toEqual({ boundTo: 'board serial', meters: 2 });
});

test('a person binds a repaired board again, with a reason that is kept', async () => {
  const keys = keyStore(config);
  await rebind(keys, 'bound at the first visit', { hardware: FIRST, ...TO_BIND });
  const bound = await rebind(keys, ' board broke in a storm ', { hardware: SECOND, ...TO_BIND });
  expect(bound).toEqual({ before: 'board serial', after: 'board serial' });
  expect(await start(SECOND)).toEqual({ boundTo: 'board serial', meters: 2 });
  await expect(start(FIRST)).rejects.toThrow('bound to another machine');
  const text = readFileSync(join(config.data_dir, 'keys', 'gateway.json'), 'utf8');
  expect(JSON.parse(text).rebound).toEqual([
    { time_ms: TO_BIND.nowMs, reason: 'bound at the first visit', from: 'unbound' },
    { time_ms: TO_BIND.nowMs, reason: 'board broke in a storm', from: 'board serial' },
  ]);
  expect(text).not.toContain('aaaaaaaa');
  for (const reason of ['', '  ', 'x'.repeat(MAX_REASON + 1)])
    await expect(rebind(keys, reason, { hardware: FIRST, ...TO_BIND })).rejects.toThrow('--reason: expected 1 to 200');
});
