import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { errorText } from '../core/error-text.js';
import type { Logger } from '../core/logger.js';
import { OperatorError } from '../core/operator-error.js';
import type { ServerCertificate, TlsMaterial, TlsVersion } from '../core/tls.js';
import { isReadableByOthers, readableByOthers } from './private-files.js';
import { readRegularFile } from './regular-file.js';

export interface CertificateOptions {
  /** PEM: the server's certificate first, then the intermediate certificates. */
  readonly certFile: string;
  /** PEM, not encrypted, readable by its owner alone. */
  readonly keyFile: string;
  readonly minVersion: TlsVersion;
  /** Real time, milliseconds since 1970. */
  readonly now: () => number;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Called after each check of a new pair. */
  readonly onRenewal?: (result: 'taken' | 'refused') => void;
}

/** A pair that cannot be served: the file, the reason and the repair. */
export class CertificateError extends OperatorError {
  override readonly name = 'CertificateError';

  constructor(file: string, problem: string, advice = 'put the right file there, or correct its path') {
    super({ code: 'certificate', file, problem, advice });
  }
}

const DAY_MS = 86_400_000;
/** The log reminds once a day when this many days remain. */
const WARN_DAYS = 14;
/** Health reports a problem when this many days remain. */
const URGENT_DAYS = 3;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

interface Pair {
  readonly material: TlsMaterial;
  /** The first and the last instant at which every certificate of the file is valid; milliseconds since 1970. */
  readonly fromAtMs: number;
  readonly untilMs: number;
}

function readPem(file: string): string {
  try {
    return readRegularFile(file).toString('utf8');
  } catch (error) {
    throw new CertificateError(file, `cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
}

function certificatesIn(pem: string, file: string): X509Certificate[] {
  const blocks = pem.match(PEM_CERTIFICATE) ?? [];
  if (blocks.length === 0) throw new CertificateError(file, 'holds no certificate in PEM');
  return blocks.map((block, i) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new CertificateError(file, `certificate ${i + 1} in it is damaged`);
    }
  });
}

function privateKeyIn(pem: string, file: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // The library's reason may quote the file's content, so the message omits it.
    throw new CertificateError(file, 'holds no private key in PEM without a passphrase');
  }
}

/** Reads and checks a certificate and its key. Throws `CertificateError`. */
function loadPair({ certFile, keyFile, minVersion }: CertificateOptions): Pair {
  const cert = readPem(certFile);
  const key = readPem(keyFile);
  const { mode } = statSync(keyFile);
  if (isReadableByOthers(mode)) {
    const { problem, advice } = readableByOthers(keyFile, mode, 'private key');
    throw new CertificateError(keyFile, problem, advice);
  }
  const chain = certificatesIn(cert, certFile);
  if (!chain[0]?.checkPrivateKey(privateKeyIn(key, keyFile))) {
    throw new CertificateError(keyFile, `is not the key of the first certificate in ${certFile}`);
  }
  const material = { cert, key, minVersion };
  try {
    createSecureContext(material);
  } catch (error) {
    throw new CertificateError(certFile, `cannot be served: ${(error as Error).message}`);
  }
  const fromAtMs = Math.max(...chain.map(({ validFromDate }) => validFromDate.getTime()));
  const untilMs = Math.min(...chain.map(({ validToDate }) => validToDate.getTime()));
  return { material, fromAtMs, untilMs };
}

/**
 * The certificate of a server, from two files that a renewal may replace at any moment. Listeners get a new pair that can be
 * served, and use it for new connections. A pair that cannot be served leaves the old pair in force; the log names it once,
 * with the reason.
 */
export class CertificateFiles implements ServerCertificate {
  readonly #options: CertificateOptions;
  readonly #listeners: ((material: TlsMaterial) => void)[] = [];
  #pair: Pair;
  #seen: string;
  #judged: string;
  #problem: string | null = null;
  #remindedAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;

  /** Reads both files. Throws `CertificateError`. Serves an expired certificate, and reports it. */
  constructor(options: CertificateOptions) {
    this.#options = options;
    this.#seen = this.#stamp();
    this.#judged = this.#seen;
    this.#pair = loadPair(options);
    this.#remind();
  }

  /** The material in use. */
  get material(): TlsMaterial {
    return this.#pair.material;
  }

  /** Days until the first certificate of the file expires; negative after that. */
  get expiryDays(): number {
    return (this.#pair.untilMs - this.#options.now()) / DAY_MS;
  }

  /** Reason why the server does not serve the files' present content; null when it does. */
  get refused(): string | null {
    return this.#problem;
  }

  /** The problem in plain words, for a health page; null when all is well. */
  get problem(): string | null {
    if (this.#problem) return `the renewed certificate is not used: ${this.#problem}`;
    const days = Math.floor(this.expiryDays);
    if (days >= URGENT_DAYS) return null;
    const when = days < 0 ? 'has expired' : `expires in ${days} days`;
    return `${this.#options.certFile} ${when}: renew it, and it is taken without a restart`;
  }

  onRenewed(listener: (material: TlsMaterial) => void): void {
    this.#listeners.push(listener);
  }

  /** Checks the files every `everyMs` real milliseconds until `stop`. */
  watch(everyMs: number): void {
    this.#timer = setInterval(() => this.checkFiles(), everyMs);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
  }

  /** Loads a new pair once both files were unchanged for two consecutive checks: certificate and key are written separately. */
  checkFiles(): void {
    this.#remind();
    const stamp = this.#stamp();
    const isStill = stamp === this.#seen;
    this.#seen = stamp;
    if (!isStill || stamp === this.#judged) return;
    const { log, onRenewal } = this.#options;
    try {
      const pair = loadPair(this.#options);
      if (!this.#isUsable(pair)) return;
      this.#judged = stamp;
      this.#problem = null;
      const { cert, key } = this.#pair.material;
      if (pair.material.cert === cert && pair.material.key === key) return;
      this.#pair = pair;
    } catch (error) {
      this.#judged = stamp;
      this.#refuse(errorText(error));
      return;
    }
    for (const listener of this.#listeners) listener(this.#pair.material);
    onRenewal?.('taken');
    this.#remindedAtMs = Number.NEGATIVE_INFINITY;
    log.info(
      { event: 'certificate_renewed', file: this.#options.certFile, days: Math.floor(this.expiryDays) },
      'Loaded the renewed certificate',
    );
    this.#remind();
  }

  /** Returns false for a pair that is not yet valid; the next check reads it again. Throws for an expired pair. */
  #isUsable({ fromAtMs, untilMs }: Pair): boolean {
    const { certFile, now } = this.#options;
    if (untilMs <= now()) {
      throw new CertificateError(certFile, `has expired on ${new Date(untilMs).toISOString()}`, 'renew it');
    }
    if (fromAtMs <= now()) return true;
    this.#refuse(`${certFile}: is valid from ${new Date(fromAtMs).toISOString()}, which is still to come`);
    return false;
  }

  #refuse(why: string): void {
    if (this.#problem === why) return;
    this.#problem = why;
    this.#options.onRenewal?.('refused');
    this.#options.log.warn(
      { event: 'certificate_renewal_failed', err: why },
      'Cannot load the renewed certificate: the old one stays in force',
    );
  }

  #remind(): void {
    const { now, log, certFile } = this.#options;
    if (this.expiryDays >= WARN_DAYS || now() - this.#remindedAtMs < DAY_MS) return;
    this.#remindedAtMs = now();
    log.warn(
      { event: 'certificate_expiring', file: certFile, days: Math.floor(this.expiryDays) },
      'The certificate expires soon or has expired: renew it',
    );
  }

  /** Returns a text that changes whenever one of the files, or its rights, may have changed. */
  #stamp(): string {
    return [this.#options.certFile, this.#options.keyFile]
      .map((file) => {
        try {
          const { mtimeMs, ctimeMs, ino, size } = statSync(file);
          return `${mtimeMs} ${ctimeMs} ${ino} ${size}`;
        } catch (error) {
          return String((error as NodeJS.ErrnoException).code);
        }
      })
      .join(', ');
  }
}
