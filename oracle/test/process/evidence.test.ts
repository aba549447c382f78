import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toHex } from '@gridtokenx/protocol';
import { NOW_MS, testLedger, verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import { FakeRegistry, LogBuilder, meterOf, type Signed, signerOf } from '@gridtokenx/testing-kit/signed-log';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportEvidence } from '../../src/cli/export-evidence.js';
import { contradiction, lowestContradiction } from '../../src/domain/verdicts/evidence.js';
import { oracleFolder } from '../support/process.js';

const meter = meterOf(1);
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-evidence-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A ledger in a file that took these messages. */
function ledgerWith(name: string, messages: readonly Signed[]): string {
  const path = join(folder, name, 'ledger.sqlite');
  mkdirSync(dirname(path), { recursive: true });
  const test = testLedger(new FakeRegistry(meter), path);
  test.take(messages, NOW_MS);
  test.database.sqlite.close();
  return path;
}

/** An honest window, then another reading for the second seq. */
function equivocal(): { log: Signed[]; pair: Signed[] } {
  const builder = new LogBuilder(meter, signerOf(1));
  const log = builder.honest(1, 2);
  builder.seq = 1n;
  const other = builder.reading({ powerW: 7 });
  return { log: [...log, other], pair: [log[1] as Signed, other] };
}

interface Description {
  key: string;
  same: object;
  suspended_from_seq: string;
  messages: { file: string; seq: string }[];
}

function read(path: string): { description: Description; messages: Buffer[] } {
  const description = JSON.parse(readFileSync(path, 'utf8')) as Description;
  return { description, messages: description.messages.map(({ file }) => readFileSync(join(dirname(path), file))) };
}

describe('evidence of an equivocation', () => {
  it('is the two messages that suspended the key, and the key', () => {
    const { log, pair } = equivocal();
    const ledger = ledgerWith('seq', log);
    const paths = exportEvidence(ledger, meter.meterId, join(folder, 'out-seq'), verifier);
    expect(paths).toHaveLength(1);
    const { description, messages } = read(paths[0] ?? '');
    expect(messages.map(toHex).sort()).toEqual(pair.map((m) => toHex(m.message)).sort());
    expect(description).toMatchObject({ key: toHex(meter.key), same: { seq: '2' }, suspended_from_seq: '2' });
    expect(messages.every((message) => message.length === 171)).toBe(true);
  });

  it('of two statements for one window names the window', () => {
    const builder = new LogBuilder(meter, signerOf(1));
    const log = [builder.enrolment(), builder.reading(), builder.statement()];
    const { payload } = log[2] as Signed;
    const window = 'window' in payload ? payload.window : 0;
    log.push(builder.statement({ window, exportWh: 9_999n }));
    const [path] = exportEvidence(ledgerWith('window', log), meter.meterId, join(folder, 'out-window'), verifier);
    expect(read(path ?? '').description).toMatchObject({ same: { window }, suspended_from_seq: '3' });
  });

  it('is none for an honest key, another meter, and without a ledger says so', () => {
    const ledger = ledgerWith('honest', new LogBuilder(meter, signerOf(1)).honest(2));
    expect(exportEvidence(ledger, meter.meterId, join(folder, 'none'), verifier)).toEqual([]);
    expect(exportEvidence(ledger, 'ff'.repeat(16), join(folder, 'none'), verifier)).toEqual([]);
    expect(() => exportEvidence(join(folder, 'gone.sqlite'), meter.meterId, folder, verifier)).toThrow('no ledger');
  });

  it('is refused from a damaged ledger', () => {
    const ledger = ledgerWith('damaged', equivocal().log);
    const bad = { name: 'none', verify: () => false };
    expect(() => exportEvidence(ledger, meter.meterId, folder, bad)).toThrow('damaged');
  });

  it('begins at the lowest seq, whatever the order', () => {
    const { log } = equivocal();
    const all = log.map((m) => ({ payload: m.payload, message: m.message, receivedMs: 0 }));
    for (const messages of [all, [...all].reverse()]) {
      expect(lowestContradiction(messages)?.place).toEqual({ seq: 2n });
    }
    const [first, second] = all;
    if (!first || !second) throw new Error('no log');
    expect(contradiction(first, second)).toBeNull();
    expect(lowestContradiction([first, second])).toBeNull();
  });
});

describe('export-evidence', () => {
  it('prints what it wrote, and exits with 1 when there is nothing and with 2 when it is called wrongly', async () => {
    const { buildAll } = await import(new URL('../../../tools/build.mjs', import.meta.url).href);
    buildAll();
    const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
    const oracle = oracleFolder([meter], 'mqtt://127.0.0.1:1');
    const test = testLedger(new FakeRegistry(meter), oracle.ledger);
    const { log, pair } = equivocal();
    test.take(log.slice(0, -1), NOW_MS);
    const run = (id: string) => {
      const args = ['export-evidence', '--config', oracle.file, '--meter', id, '--out', join(oracle.directory, 'out')];
      return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
    };
    try {
      expect([run(meter.meterId).status, run('XYZ').status]).toEqual([1, 2]);
      test.take(pair, NOW_MS);
      // The ledger is still open here, as it is while the oracle runs.
      const found = run(meter.meterId);
      expect([found.status, found.stderr]).toEqual([0, '']);
      expect(read(found.stdout.trim()).messages.map(toHex).sort()).toEqual(pair.map((m) => toHex(m.message)).sort());
    } finally {
      test.database.sqlite.close();
      oracle.remove();
    }
  });
});

/** A COSE library that shares no code with this project. */
const LIBRARY = 'cwt==3.3.0';
const VERIFY = `
import json, pathlib, sys
from cwt import COSE, COSEKey
path = pathlib.Path(sys.argv[1])
evidence = json.loads(path.read_text())
key = COSEKey.from_jwk({**evidence["key_jwk"], "alg": "EdDSA"})
payloads = [COSE.new().decode((path.parent / m["file"]).read_bytes(), keys=[key]) for m in evidence["messages"]]
assert len(payloads) == 2 and payloads[0] != payloads[1]
print(" ".join(p.hex() for p in payloads))
`;

/** Python of a venv with the library, or what is missing. */
function pythonWithCose(): { python: string } | { missing: string } {
  const venv = join(folder, 'venv');
  const run = (command: string, ...args: string[]) => spawnSync(command, args, { encoding: 'utf8', timeout: 150_000 });
  const made = run('python3', '-m', 'venv', venv);
  if (made.status !== 0) return { missing: `python3 with venv: ${made.error?.message ?? made.stdout.trim()}` };
  const python = join(venv, 'bin', 'python');
  const installed = run(python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', LIBRARY);
  if (installed.status !== 0) return { missing: `${LIBRARY} from PyPI: ${installed.stderr.trim().split('\n').at(-1)}` };
  return { python };
}

describe('a Python COSE library', () => {
  it('verifies both messages, and neither when a byte is changed', { timeout: 300_000 }, (context) => {
    const found = pythonWithCose();
    if ('missing' in found) {
      if (process.env.CI === 'true') throw new Error(`missing: ${found.missing}`);
      console.log(`skipped: ${found.missing}`);
      return context.skip();
    }
    const { log, pair } = equivocal();
    const [path = ''] = exportEvidence(ledgerWith('python', log), meter.meterId, join(folder, 'out-python'), verifier);
    const verify = () => spawnSync(found.python, ['-c', VERIFY, path], { encoding: 'utf8' });
    const good = verify();
    expect(good.stderr).toBe('');
    expect(good.stdout.trim().split(' ').sort()).toEqual(pair.map((m) => toHex(m.signed)).sort());
    const file = join(dirname(path), read(path).description.messages[1]?.file ?? '');
    const whole = readFileSync(file);
    for (const at of [9 + 50, 110]) {
      const bent = Buffer.from(whole);
      bent[at] = (bent[at] ?? 0) ^ 1;
      writeFileSync(file, bent);
      const bad = verify();
      expect([bad.status, bad.stderr.includes('Failed to verify')]).toEqual([1, true]);
    }
  });
});
