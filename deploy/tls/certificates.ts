// Makes a certificate authority and server certificates with the openssl command: for trials and for the tests, which
// import it. A real deployment uses its own authority, or a public one. Run it with Node 24:
//   node deploy/tls/certificates.ts FOLDER NAME [NAME...]      NAME: a host name or an IP address
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Certificate {
  /** PEM files. */
  readonly cert: string;
  readonly key: string;
}

export interface CertificateRequest {
  /** File name without extension. */
  readonly file: string;
  /** Host names and IP addresses. */
  readonly names: readonly string[];
  readonly from?: Date;
  readonly until?: Date;
  /** Signed by this instead of the authority itself. */
  readonly issuer?: Certificate;
  /** May sign others. */
  readonly isAuthority?: boolean;
  /** Extended key usage; none of it in an authority. */
  readonly usage?: string;
  /** More lines of openssl's extension section. */
  readonly extensions?: string;
}

const DAY_MS = 86_400_000;

/** Returns true where openssl can make certificates. */
export function hasOpenssl(): boolean {
  return spawnSync('openssl', ['version'], { stdio: 'ignore' }).status === 0;
}

const stampOf = (date: Date) => `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function makeKey(path: string): void {
  openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', path);
  chmodSync(path, 0o600);
}

const DISTINGUISHED_NAME = '[req]\ndistinguished_name = dn\n[dn]\n';

const signing = (work: string) =>
  `[ca]\ndefault_ca = own\n[own]\ndatabase = ${join(work, 'index')}\nnew_certs_dir = ${work}\nrand_serial = yes\n` +
  'default_md = sha256\npolicy = any\nunique_subject = no\n[any]\ncommonName = supplied\n';

function extensionsOf({ names, usage, isAuthority, extensions = '' }: CertificateRequest): string {
  if (isAuthority) return `basicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign\n${extensions}`;
  const subject = names.map((name) => `${isIP(name) ? 'IP' : 'DNS'}:${name}`).join(',');
  const purpose = `keyUsage = critical,digitalSignature\nextendedKeyUsage = ${usage ?? 'serverAuth'}\n`;
  return `basicConstraints = critical,CA:FALSE\n${purpose}${subject ? `subjectAltName = ${subject}\n` : ''}${extensions}`;
}

/** An authority in a folder. It reuses an existing one. */
export class Authority implements Certificate {
  readonly #folder: string;
  readonly cert: string;
  readonly key: string;

  constructor(folder: string, name = 'GridTokenX trial authority') {
    this.#folder = resolve(folder);
    mkdirSync(this.#folder, { recursive: true });
    this.cert = join(this.#folder, 'ca.pem');
    this.key = join(this.#folder, 'ca.key');
    if (existsSync(this.cert)) return;
    makeKey(this.key);
    const subject = ['-subj', `/CN=${name}`, '-days', '3650'];
    const usage = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
    this.#inWork((work) => {
      const config = join(work, 'config');
      writeFileSync(config, DISTINGUISHED_NAME);
      openssl('req', '-x509', '-config', config, '-key', this.key, ...subject, ...usage, '-out', this.cert);
    });
  }

  /** Signs a certificate for a new key. Files appear whole, the key with mode 0600. */
  issue(request: CertificateRequest): Certificate {
    const made: Certificate = {
      cert: join(this.#folder, `${request.file}.pem`),
      key: join(this.#folder, `${request.file}.key`),
    };
    this.#inWork((work) => {
      const path = (name: string) => join(work, name);
      writeFileSync(path('index'), '');
      writeFileSync(path('config'), `${DISTINGUISHED_NAME}${signing(work)}[extensions]\n${extensionsOf(request)}`);
      makeKey(path('key'));
      const subject = ['-subj', `/CN=${request.names[0] ?? request.file}`];
      openssl('req', '-new', '-config', path('config'), '-key', path('key'), ...subject, '-out', path('csr'));
      const from = request.from ?? new Date(Date.now() - 60_000);
      const until = request.until ?? new Date(Date.now() + 90 * DAY_MS);
      const dates = ['-startdate', stampOf(from), '-enddate', stampOf(until)];
      const issuer = request.issuer ?? this;
      const by = ['-cert', issuer.cert, '-keyfile', issuer.key, '-extensions', 'extensions', '-notext'];
      openssl('ca', '-batch', '-config', path('config'), ...by, ...dates, '-in', path('csr'), '-out', path('cert'));
      renameSync(path('key'), made.key);
      renameSync(path('cert'), made.cert);
    });
    return made;
  }

  #inWork(task: (folder: string) => void): void {
    const work = mkdtempSync(join(this.#folder, 'work-'));
    try {
      task(work);
    } finally {
      rmSync(work, { recursive: true });
    }
  }
}

/** Replaces a pair as a renewal does: each file whole, one after the other. */
export function renew(from: Certificate, to: Certificate): void {
  for (const part of ['key', 'cert'] as const) {
    copyFileSync(from[part], `${to[part]}.renewed`);
    if (part === 'key') chmodSync(`${to[part]}.renewed`, 0o600);
    renameSync(`${to[part]}.renewed`, to[part]);
  }
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [folder, ...names] = process.argv.slice(2);
  if (!folder || names.length === 0 || [folder, ...names].some((given) => given.startsWith('-'))) {
    console.error('usage: node deploy/tls/certificates.ts FOLDER NAME [NAME...]');
    process.exit(2);
  }
  if (!hasOpenssl()) {
    console.error('the command "openssl" is not there: install the package openssl');
    process.exit(2);
  }
  const authority = new Authority(folder);
  const { cert, key } = authority.issue({ file: 'server', names });
  console.log(`ca_file:   ${authority.cert}\ncert_file: ${cert}\nkey_file:  ${key}`);
}
