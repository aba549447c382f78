import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateFiles } from '@gridtokenx/runtime/node';
import { afterAll, beforeAll } from 'vitest';
import { Authority, type Certificate, type CertificateRequest, hasOpenssl } from '../../../deploy/tls/certificates.js';

/** The command "openssl" makes certificates; in CI its absence is a failure. */
export const mayMakeCertificates = hasOpenssl() || process.env.CI === 'true';
if (!mayMakeCertificates) console.warn('skipped: tests of TLS need the command "openssl"');

export interface CertificateRoom {
  readonly folder: string;
  readonly authority: Authority;
  /** Issues a new pair for this machine. */
  issue(change?: Partial<CertificateRequest>): Certificate;
}

/** An authority in a folder of its own for the tests of a file; call it at the top of the file. */
export function certificateRoom(): CertificateRoom {
  let folder = '';
  let authority: Authority | undefined;
  let count = 0;
  const made = () => {
    authority ??= new Authority(join(folder, 'ca'));
    return authority;
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tls-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  return {
    get folder() {
      return folder;
    },
    get authority() {
      return made();
    },
    issue: (change = {}) => made().issue({ file: `server-${count++}`, names: ['localhost', '127.0.0.1'], ...change }),
  };
}

export interface OpenedFiles {
  readonly files: CertificateFiles;
  readonly warnings: { err?: string; message: string }[];
  readonly results: string[];
}

/** Opens the files of a pair; returns them with their log lines. */
export function openFiles(pair: Certificate, now: () => number = Date.now): OpenedFiles {
  const warnings: OpenedFiles['warnings'] = [];
  const results: string[] = [];
  const log = { info: () => {}, warn: (fields: object, message: string) => void warnings.push({ ...fields, message }) };
  const onRenewal = (result: string) => void results.push(result);
  const own = { certFile: pair.cert, keyFile: pair.key, minVersion: 'TLSv1.3' as const };
  return { files: new CertificateFiles({ ...own, now, log, onRenewal }), warnings, results };
}

/** Checks the files twice: a change is adopted at the second check that finds it. */
export function looked(files: CertificateFiles): void {
  for (let i = 0; i < 2; i++) files.checkFiles();
}
