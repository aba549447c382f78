import { X509Certificate } from 'node:crypto';
import { earlyWords, expiredWords, type Peer, type PeerJudge } from '@gridtokenx/runtime/node';

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const ANY_PURPOSE = '2.5.29.37.0';
const MIN_RSA_BITS = 2048;
const DATES = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);

/** The bounds of the present, ms since 1970. */
export interface Present {
  /** The true time is not below it. */
  readonly earliestMs: number;
  /** The true time is not above it; infinite where that is not known. */
  readonly latestMs: number;
}

/** Ignores the dates of certificates: an answer that is bound to a nonce and a pinned key proves its own time. */
export const ANY_TIME: Present = { earliestMs: Number.NEGATIVE_INFINITY, latestMs: Number.POSITIVE_INFINITY };

/**
 * Judges certificates by the bounds of the present ("Time at start"). `present` returns null while the machine's clock
 * is known to be right: then OpenSSL's verdict by that clock holds.
 *
 * OpenSSL names only the last of several faults, and checks dates late: an unknown authority may hide behind a wrong
 * date. So this function ignores a complaint about a date only when its own checks prove the path to a trusted
 * authority.
 */
export function judgeByTime(present: () => Present | null): PeerJudge {
  return ({ chain, trusted, complaint }: Peer) => {
    const now = present();
    if (now === null) return undefined;
    const [leaf, ...sent] = chain;
    if (!leaf) return undefined;
    if (hasEnded(leaf, now)) return expiredWords(leaf);
    if (!hasBegun(leaf, now)) return earlyWords(leaf);
    if (complaint === null || !DATES.has(complaint)) return undefined;
    const anchors = trusted.map((pem) => new X509Certificate(pem));
    return pathHolds(leaf, sent, anchors, now) ? null : UNTRUSTED_WORDS;
  };
}

const UNTRUSTED_WORDS =
  "the gateway cannot prove that a trusted authority signed the certificate while this machine's clock is unsure";

const hasEnded = (certificate: X509Certificate, { earliestMs }: Present) =>
  certificate.validToDate.getTime() < earliestMs;
const hasBegun = (certificate: X509Certificate, { latestMs }: Present) =>
  certificate.validFromDate.getTime() <= latestMs;
const isInForce = (certificate: X509Certificate, now: Present) =>
  !hasEnded(certificate, now) && hasBegun(certificate, now);

/**
 * Returns true when `leaf` may serve, each certificate is in force, and an authority signed `leaf`, or signed a
 * certificate of `sent` that signed `leaf`.
 */
function pathHolds(
  leaf: X509Certificate,
  sent: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
  now: Present,
): boolean {
  if (!mayServe(leaf) || !isStrong(leaf)) return false;
  const authorities = anchors.filter((anchor) => anchor.ca && isInForce(anchor, now));
  const signedByAuthority = (one: X509Certificate) => authorities.some((anchor) => signed(one, anchor));
  if (signedByAuthority(leaf)) return true;
  // One intermediate certificate at most: a chain of authorities would bring path lengths in.
  return sent.some(
    (middle) =>
      middle.ca &&
      mayServe(middle) &&
      isStrong(middle) &&
      isInForce(middle, now) &&
      signed(leaf, middle) &&
      signedByAuthority(middle),
  );
}

/** Returns true when names, key usage and key identifiers fit, and the issuer made the signature. */
function signed(one: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return one.checkIssued(issuer) && one.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

/** Returns true when the certificate's purposes allow a server; a certificate without purposes allows all. */
function mayServe({ keyUsage }: X509Certificate): boolean {
  return !keyUsage || keyUsage.includes(SERVER_AUTH) || keyUsage.includes(ANY_PURPOSE);
}

function isStrong({ publicKey, signatureAlgorithm }: X509Certificate): boolean {
  if (/md5|sha-?1(?!\d)/i.test(signatureAlgorithm ?? '')) return false;
  const bits = publicKey.asymmetricKeyDetails?.modulusLength;
  return bits === undefined || bits >= MIN_RSA_BITS;
}
