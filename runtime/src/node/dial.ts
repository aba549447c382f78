import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { checkServerIdentity, connect, getCACertificates, type PeerCertificate, type TLSSocket } from 'node:tls';
import { readRegularFileLater } from './regular-file.js';

export interface DialTarget {
  readonly host: string;
  readonly port: number;
  /** The name that the certificate must have, when it is not `host`. */
  readonly serverName?: string | undefined;
  /** PEM: the trusted authorities, read at each connect. Without it, Node's own. */
  readonly caFile?: string | undefined;
}

/** Certificates of the peer, before any trust. */
export interface Peer {
  /** The server's certificate first, then the certificates that it sent with it. */
  readonly chain: readonly X509Certificate[];
  /** Trusted authorities, PEM. */
  readonly trusted: readonly string[];
  /** OpenSSL's complaint; null when there is none. OpenSSL names only one of several faults. */
  readonly complaint: string | null;
}

/** Overrules OpenSSL: words = refused, null = accepted despite the complaint, undefined = no opinion. */
export type PeerJudge = (peer: Peer) => string | null | undefined;

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const MAX_CERTIFICATES = 10;
const UNTRUSTED = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_UNTRUSTED',
]);

/**
 * Opens a TLS 1.3 connection and judges the certificate and its name before it sends anything. Rejects with an `Error` that
 * states problem and repair in plain words.
 */
export async function dialTls(target: DialTarget, timeoutMs: number, judge?: PeerJudge): Promise<TLSSocket> {
  const trusted = await authorities(target.caFile);
  const socket = await handshake(target, trusted, timeoutMs);
  const problem = problemOf(socket, target, trusted, judge);
  if (problem === null) return socket;
  socket.destroy();
  throw new Error(problem);
}

async function authorities(caFile: string | undefined): Promise<string[]> {
  if (caFile === undefined) return getCACertificates('default');
  let pem: string;
  try {
    pem = (await readRegularFileLater(caFile)).toString('utf8');
  } catch (error) {
    throw new Error(`ca_file ${caFile} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
  const blocks = pem.match(PEM_CERTIFICATE);
  if (!blocks) throw new Error(`ca_file ${caFile} holds no certificate in PEM`);
  for (const block of blocks) {
    try {
      new X509Certificate(block);
    } catch {
      throw new Error(`ca_file ${caFile} holds a damaged certificate`);
    }
  }
  return [...blocks];
}

function handshake(target: DialTarget, trusted: string[], timeoutMs: number): Promise<TLSSocket> {
  const { host, port } = target;
  const name = nameOf(target);
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port,
      ca: trusted,
      minVersion: 'TLSv1.3',
      ...(isIP(name) ? {} : { servername: name }),
      // Judged below, where the code can still read the certificate and describe its fault in full.
      rejectUnauthorized: false,
    });
    const timer = setTimeout(() => end(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const end = (error: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(new Error(connectWords(error, target), { cause: error }));
    };
    socket.once('error', end);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      // The caller learns of the socket's end by 'close'; until then nobody listens.
      socket.off('error', end).on('error', () => {});
      resolve(socket);
    });
  });
}

function problemOf(socket: TLSSocket, target: DialTarget, trusted: string[], judge?: PeerJudge): string | null {
  const chain = chainOf(socket);
  // A code in fact; the types declare an error.
  const error: unknown = socket.authorizationError;
  const complaint = socket.authorized ? null : String((error as { code?: unknown } | null)?.code ?? error);
  const isNameFault = complaint === 'ERR_TLS_CERT_ALTNAME_INVALID';
  const [leaf] = chain;
  if (!leaf) return 'the other side showed no certificate';
  const opinion = judge?.({ chain, trusted, complaint: isNameFault ? null : complaint });
  if (typeof opinion === 'string') return opinion;
  // Checked again in any case: a complaint of OpenSSL stops Node's own check.
  const nameFault = checkServerIdentity(nameOf(target), leaf.toLegacyObject() as PeerCertificate);
  if (opinion === undefined && complaint !== null && !isNameFault) return complaintWords(complaint, leaf, target);
  return nameFault ? nameWords(leaf, target) : null;
}

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next = socket.getPeerX509Certificate();
  while (
    next &&
    chain.length < MAX_CERTIFICATES &&
    !chain.some(({ fingerprint256: seen }) => seen === next?.fingerprint256)
  ) {
    chain.push(next);
    next = next.issuerCertificate;
  }
  return chain;
}

const nameOf = ({ serverName, host }: DialTarget): string => serverName ?? host;

function nameWords(leaf: X509Certificate, target: DialTarget): string {
  const names = (leaf.subjectAltName ?? leaf.subject ?? 'nobody').replace(/\s+/g, ' ').slice(0, 100);
  return `the certificate is for ${names}, not for ${nameOf(target)}: correct the address or server_name, or have it renewed with this name`;
}

function complaintWords(code: string, leaf: X509Certificate, { caFile }: DialTarget): string {
  if (UNTRUSTED.has(code)) {
    const by = caFile === undefined ? 'an authority that is known here: give its ca_file' : `an authority in ${caFile}`;
    return `the certificate is not signed by ${by} (${code})`;
  }
  if (code === 'CERT_HAS_EXPIRED') return expiredWords(leaf);
  if (code === 'CERT_NOT_YET_VALID') return earlyWords(leaf);
  return `the certificate is refused (${code})`;
}

/** Returns words for an expired certificate. */
export function expiredWords(leaf: X509Certificate): string {
  const until = leaf.validToDate.toISOString();
  return `the certificate, or one that it rests on, has expired (it ends ${until}): have it renewed where it is served`;
}

/** Returns words for a certificate that is not yet valid. */
export function earlyWords(leaf: X509Certificate): string {
  const from = leaf.validFromDate.toISOString();
  return `the certificate, or one that it rests on, is valid later only (it begins ${from}): is this machine's clock right?`;
}

function connectWords(error: Error, { host, port }: DialTarget): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const where = `${host}:${port}`;
  if (/protocol version/i.test(message)) return `${where} speaks no TLS 1.3`;
  if (/wrong version number|packet length too long|record layer/i.test(message)) return `${where} does not speak TLS`;
  if (/before secure TLS connection/.test(message)) {
    return `${where} ended the connection in the TLS handshake: does it speak TLS 1.3 there?`;
  }
  return message || code || String(error);
}
