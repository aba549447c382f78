import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asMeterId, toHex } from '@gridtokenx/protocol';
import { NOW_MS, testLedger, verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import { FakeRegistry, JournalBuilder, type Signed, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import { describe, expect, it } from 'vitest';
import { exportEvidence } from '../../src/cli/export-evidence.js';
import { contradiction, lowestContradiction } from '../../src/domain/verdicts/evidence.js';
import { equivocal, evidenceFolder, ledgerWith, meter, readEvidence } from '../support/evidence.js';
import { oracleFolder } from '../support/process.js';

const at = evidenceFolder();

describe('evidence of an equivocation', () => {
  it('is the two messages that suspended the key, and the key', () => {
    const { log, pair } = equivocal();
    const ledger = ledgerWith(at('seq', 'ledger.sqlite'), log);
    const paths = exportEvidence(ledger, meter.meterId, at('out-seq'), verifier);
    expect(paths).toHaveLength(1);
    const { description, messages } = readEvidence(paths[0] ?? '');
    expect(messages.map(toHex).sort()).toEqual(pair.map((m) => toHex(m.message)).sort());
    expect(description).toMatchObject({ key: toHex(meter.key), same: { seq: '2' }, suspended_from_seq: '2' });
    expect(messages.every((message) => message.length === 171)).toBe(true);
  });

  it('of two statements for one window names the window', () => {
    const builder = new JournalBuilder(meter, signerOf(1));
    const log = [builder.enrolment(), builder.reading(), builder.statement()];
    const { payload } = log[2] as Signed;
    const window = 'window' in payload ? payload.window : 0;
    log.push(builder.statement({ window, exportWh: 9_999n }));
    const [path] = exportEvidence(
      ledgerWith(at('window', 'ledger.sqlite'), log),
      meter.meterId,
      at('out-window'),
      verifier,
    );
    expect(readEvidence(path ?? '').description).toMatchObject({ same: { window }, suspended_from_seq: '3' });
  });

  it('is none for an honest key, another meter, and without a ledger says so', () => {
    const ledger = ledgerWith(at('honest', 'ledger.sqlite'), new JournalBuilder(meter, signerOf(1)).honest(2));
    expect(exportEvidence(ledger, meter.meterId, at('none'), verifier)).toEqual([]);
    expect(exportEvidence(ledger, asMeterId('ff'.repeat(16)), at('none'), verifier)).toEqual([]);
    expect(() => exportEvidence(at('gone.sqlite'), meter.meterId, at(), verifier)).toThrow('no ledger');
  });

  it('is refused from a damaged ledger', () => {
    const ledger = ledgerWith(at('damaged', 'ledger.sqlite'), equivocal().log);
    const bad = { name: 'none', verify: () => false };
    expect(() => exportEvidence(ledger, meter.meterId, at(), bad)).toThrow('damaged');
  });

  it('begins at the lowest seq, whatever the order', () => {
    const { log } = equivocal();
    const all = log.map((m) => ({ payload: m.payload, message: m.message, receivedAtMs: 0 }));
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
      expect(readEvidence(found.stdout.trim()).messages.map(toHex).sort()).toEqual(
        pair.map((m) => toHex(m.message)).sort(),
      );
    } finally {
      test.database.sqlite.close();
      oracle.remove();
    }
  });
});
