import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { NOW_MS, testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import { FakeRegistry, JournalBuilder, meterOf, type Signed, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import { afterAll, beforeAll } from 'vitest';

export const meter = meterOf(1);

/** Returns the path of a name in a folder of the test file's own. */
export type PathOf = (...names: string[]) => string;

/** Makes a folder for a test file, and removes it after its last test. */
export function evidenceFolder(): PathOf {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'gtx-evidence-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (...names) => join(folder, ...names);
}

/** Writes a ledger to this file that took these messages. */
export function ledgerWith(path: string, messages: readonly Signed[]): string {
  mkdirSync(dirname(path), { recursive: true });
  const test = testLedger(new FakeRegistry(meter), path);
  test.take(messages, NOW_MS);
  test.database.sqlite.close();
  return path;
}

/** Returns an honest window, then a second reading for the second seq. */
export function equivocal(): { log: Signed[]; pair: Signed[] } {
  const builder = new JournalBuilder(meter, signerOf(1));
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

export function readEvidence(path: string): { description: Description; messages: Buffer[] } {
  const description = JSON.parse(readFileSync(path, 'utf8')) as Description;
  return { description, messages: description.messages.map(({ file }) => readFileSync(join(dirname(path), file))) };
}
