import { createPrivateKey, sign } from 'node:crypto';
import { chmodSync, cpSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GATEWAY_V1 } from '@gridtokenx/testing-kit/gateway-directory';
import { build, command, temporaryDirectory } from '@gridtokenx/testing-kit/processes';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditExport } from '../src/exported.js';

const GATEWAY = 'edge/dist/main.js';
let directory: ReturnType<typeof temporaryDirectory>;
let lines: readonly string[] = [];

/** Writes an export of the committed gateway directory, through the command of the gateway. */
beforeAll(async () => {
  await build();
  directory = temporaryDirectory();
  const data = join(directory.path, 'data');
  cpSync(join(GATEWAY_V1, 'data'), data, { recursive: true });
  for (const name of readdirSync(join(data, 'keys'))) chmodSync(join(data, 'keys', name), 0o600);
  const config = join(directory.path, 'gateway.yaml');
  const text = readFileSync(join(GATEWAY_V1, 'config.yaml'), 'utf8');
  writeFileSync(config, text.replace(/^data_dir:.*$/m, `data_dir: ${data}`));
  const out = join(directory.path, 'export.jsonl');
  const period = ['--from', '2026-01-01T00:00Z', '--until', '2026-01-02'];
  const { code, output } = await command(GATEWAY, [
    'export',
    '--config',
    config,
    '--meter',
    'pv',
    ...period,
    '--out',
    out,
  ]);
  expect([code, output]).toEqual([0, expect.stringMatching(/^\d+ messages of meter pv, seq 1 to 39, written to /)]);
  lines = readFileSync(out, 'utf8').trimEnd().split('\n');
}, 120_000);
afterAll(() => directory.remove());

/** Writes an export with other lines, and returns what the audit finds. */
async function audited(changed: readonly string[], key: string | null = null) {
  const file = join(directory.path, 'changed.jsonl');
  writeFileSync(file, `${changed.join('\n')}\n`);
  return auditExport(file, key);
}

const changed = (at: number, change: (line: string) => string) =>
  lines.map((line, i) => (i === at ? change(line) : line));
/** Lines of readings: kind 1 stands at byte 12 of a message. */
const firstReading = () => lines.findIndex((line, i) => i > 0 && line.slice(24, 26) === '01');

test('an export of a gateway agrees in signatures, seqs, hashes, registers and roots', async () => {
  const { findings, figures } = await audited(lines);
  expect(findings).toEqual([]);
  expect(figures).toMatchObject({ messages: lines.length - 1, statements: 2, roots: 2, enrolments: 1 });
  expect(figures.readings).toBeGreaterThan(20);
});

test('a key that is not the registry one is a finding', async () => {
  const { key } = JSON.parse(lines[0] ?? '{}') as { key: string };
  expect((await audited(lines, key)).findings).toEqual([]);
  expect((await audited(lines, '11111111111111111111111111111112')).findings.join()).toContain(
    'the file states the key',
  );
});

test.each<[string, () => readonly string[], RegExp]>([
  ['a changed register', () => changed(firstReading(), (line) => flipped(line, 9 + 44)), /the key did not sign it/],
  ['a changed signature', () => changed(2, (line) => flipped(line, 120)), /seq \d+: the key did not sign it/],
  ['a changed frame', () => changed(2, (line) => flipped(line, 0)), /line 3 is no signed message/],
  ['a line of something else', () => changed(2, () => 'nonsense'), /line 3 is no signed message/],
  ['a removed reading', () => lines.filter((_, i) => i !== firstReading()), /the head states \d+ messages/],
  ['two messages in the other order', () => swapped(), /seqs do not rise/],
  ['the same message twice', () => [...lines, lines.at(-1) ?? ''], /seqs do not rise/],
])('%s is a finding', async (_, make, words) => {
  expect((await audited(make())).findings.join('\n')).toMatch(words);
});

test.each<[string, number, bigint, RegExp]>([
  ['above its readings', 0, 1n, /states \d+\/\d+ Wh, more than the readings before it/],
  ['below the statement before', 1, -1_000_000n, /the stated registers fell/],
])('a signed statement with registers %s is a finding', async (_, which, byWh, words) => {
  const statements = lines.flatMap((line, i) => (i > 0 && line.slice(24, 26) === '02' ? [i] : []));
  const text = changed(statements[which] ?? 0, (line) => signedAnew(line, 48, byWh));
  const { findings } = await audited(text);
  expect(findings).toEqual([expect.stringMatching(words)]);
});

test('a line without an end is refused before it is in memory', async () => {
  const file = join(directory.path, 'endless.jsonl');
  writeFileSync(file, `${lines[0]}\n`);
  truncateSync(file, 2 ** 33);
  await expect(auditExport(file, null)).rejects.toThrow('too long');
});

test('a removed reading makes a root that cannot be reproduced, which is counted', async () => {
  const { figures } = await audited(lines.filter((_, i) => i !== firstReading()));
  expect(figures.roots_not_reproducible).toBe(1);
});

test.each([
  ['', 'is empty'],
  ['{}', 'does not begin with the head'],
  ['x'.repeat(70_000), 'too long'],
])('a file that is no export is refused (%#)', async (content, words) => {
  const file = join(directory.path, 'none.jsonl');
  writeFileSync(file, content);
  await expect(auditExport(file, null)).rejects.toThrow(words);
});

test('the command says so, with its exit codes', async () => {
  const file = join(directory.path, 'again.jsonl');
  writeFileSync(file, `${lines.join('\n')}\n`);
  const run = (...args: string[]) => command('tools/audit/dist/main.js', args);
  expect(await run('--export', file)).toMatchObject({ code: 0, output: expect.stringContaining('Everything agrees.') });
  writeFileSync(file, `${changed(2, (line) => flipped(line, 120)).join('\n')}\n`);
  expect(await run('--export', file)).toMatchObject({ code: 3, output: expect.stringContaining('1 findings.') });
  expect(await run('--export', file, '--rpc', 'http://127.0.0.1:1')).toMatchObject({ code: 2 });
  expect(await run()).toMatchObject({ code: 2, output: expect.stringContaining('give --rpc') });
});

/** Adds Wh to a register of the payload of a message, and signs it with the key of the meter. */
function signedAnew(line: string, at: number, byWh: bigint): string {
  const bytes = Buffer.from(line, 'hex');
  const payload = bytes.subarray(9, 105);
  const wh = payload.readBigUInt64LE(at) + byWh;
  payload.writeBigUInt64LE(wh < 0n ? 0n : wh, at);
  const { seed } = JSON.parse(readFileSync(join(GATEWAY_V1, 'data', 'keys', 'meter-pv.json'), 'utf8')) as {
    seed: string;
  };
  const der = Buffer.from(`302e020100300506032b657004220420${seed}`, 'hex');
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const signed = Buffer.concat([Buffer.from('846a5369676e61747572653143a10127405860', 'hex'), payload]);
  sign(null, signed, key).copy(bytes, 107);
  return bytes.toString('hex');
}

function flipped(line: string, byte: number): string {
  const bytes = Buffer.from(line, 'hex');
  bytes[byte] = (bytes[byte] ?? 0) ^ 1;
  return bytes.toString('hex');
}

function swapped(): string[] {
  const copy = [...lines];
  [copy[2], copy[3]] = [copy[3] ?? '', copy[2] ?? ''];
  return copy;
}
