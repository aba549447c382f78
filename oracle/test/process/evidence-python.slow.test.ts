// Slow: installs a library from PyPI.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { toHex } from '@gridtokenx/protocol';
import { verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import { describe, expect, it } from 'vitest';
import { exportEvidence } from '../../src/cli/export-evidence.js';
import { equivocal, evidenceFolder, ledgerWith, meter, readEvidence } from '../support/evidence.js';

const at = evidenceFolder();

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

/** Returns the Python of a venv with the library, or the name of what is missing. */
function pythonWithCose(): { python: string } | { missing: string } {
  const venv = at('venv');
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
    const [path = ''] = exportEvidence(
      ledgerWith(at('python', 'ledger.sqlite'), log),
      meter.meterId,
      at('out-python'),
      verifier,
    );
    const verify = () => spawnSync(found.python, ['-c', VERIFY, path], { encoding: 'utf8' });
    const good = verify();
    expect(good.stderr).toBe('');
    expect(good.stdout.trim().split(' ').sort()).toEqual(pair.map((m) => toHex(m.signed)).sort());
    const file = join(dirname(path), readEvidence(path).description.messages[1]?.file ?? '');
    const whole = readFileSync(file);
    for (const offset of [9 + 50, 110]) {
      const bent = Buffer.from(whole);
      bent[offset] = (bent[offset] ?? 0) ^ 1;
      writeFileSync(file, bent);
      const bad = verify();
      expect([bad.status, bad.stderr.includes('Failed to verify')]).toEqual([1, true]);
    }
  });
});
