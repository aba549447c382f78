import { chmodSync, cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GATEWAY_V1 } from '@gridtokenx/testing-kit/gateway-directory';
import { temporaryDirectory } from '@gridtokenx/testing-kit/processes';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { exportMessages } from '../src/cli/export-command.js';
import { inspectSpool } from '../src/cli/spool-command.js';
import { type GatewayConfig, parseGatewayConfig } from '../src/wiring/config.js';

let directory: ReturnType<typeof temporaryDirectory>;
let data: string;
let config: GatewayConfig;
let out: string;
const said: string[] = [];
beforeEach(() => {
  directory = temporaryDirectory();
  data = join(directory.path, 'data');
  out = join(directory.path, 'export.jsonl');
  cpSync(join(GATEWAY_V1, 'data'), data, { recursive: true });
  for (const name of readdirSync(join(data, 'keys'))) chmodSync(join(data, 'keys', name), 0o600);
  const text = readFileSync(join(GATEWAY_V1, 'config.yaml'), 'utf8');
  config = { ...parseGatewayConfig(text, 'config.yaml'), data_dir: data };
  said.length = 0;
  vi.spyOn(console, 'log').mockImplementation((line) => void said.push(String(line)));
  vi.spyOn(console, 'error').mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
  directory.remove();
});

/** Changes a byte of a segment. */
function flip(name: string, at: number): void {
  const path = join(data, 'spool', name);
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

/** Everything below the data directory, to show that a command changes nothing. */
const everything = () =>
  readdirSync(data, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => [name, name.includes('.') ? readFileSync(join(data, name)).toString('hex') : '']);

describe('spool', () => {
  test('names segments, messages and seqs of each key, checks signatures, and changes nothing', async () => {
    const before = everything();
    expect(await inspectSpool(config, true)).toBe(true);
    expect(said[0]).toBe('2 segments, 0.0 MiB, 83 records');
    expect(said.find((line) => line.startsWith('pv: '))).toMatch(
      /^pv: 34 readings, 2 statements, 2 events, 1 enrolments; seq 1 to 39, readings from 2026-01-01T09:0\S+ to 2026-\S+ UTC, last window 1963621$/,
    );
    expect(said.at(-1)).toBe('every signature and every record is right');
    expect(everything()).toEqual(before);
  });

  test('says what a damaged record leaves: bytes, and seqs that are absent', async () => {
    flip('r-00000001.seg', 187 * 20 + 40);
    expect(await inspectSpool(config, false)).toBe(false);
    expect(said).toContain('187 bytes between records are damaged');
    expect(said.join('\n')).toMatch(/ {2}seq (\d+) to \1: absent and not declared/);
  });

  test('names a message that another key signed', async () => {
    const path = join(data, 'keys', 'meter-house.json');
    const other = JSON.parse(readFileSync(join(data, 'keys', 'meter-pv.json'), 'utf8'));
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), seed: other.seed }), {
      mode: 0o600,
    });
    expect(await inspectSpool(config, true)).toBe(false);
    expect(said.join('\n')).toMatch(
      / {2}seq \d+: the key of the directory did not sign it[\s\S]*and \d+ further faults/,
    );
  });
});

describe('export refuses in one line', () => {
  const of = (change: object) =>
    exportMessages(config, { from: '2026-01-01', until: '2026-01-02', meter: 'pv', out, ...change });
  test.each([
    [{ from: 'yesterday' }, '--from yesterday: expected a UTC time such as 2026-11-01T00:00Z'],
    [{ until: '2026-13-01' }, '--until 2026-13-01: expected a UTC time'],
    [{ until: '2026-01-01' }, '--until must be later than --from'],
    [{ meter: 'hut' }, 'there is no meter "hut": the configuration has pv, house, home'],
    [{ meter: undefined }, 'give --meter: the configuration has pv, house, home'],
    [{ from: '2027-01-01', until: '2027-01-02' }, 'the spool has no message of meter pv in this period'],
    [{ out: '/nowhere/export.jsonl' }, '/nowhere/export.jsonl: cannot be written'],
  ])('%o', async (change, words) => {
    await expect(of(change)).rejects.toThrow(words);
  });
});
