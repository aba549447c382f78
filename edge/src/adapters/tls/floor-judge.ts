import { X509Certificate } from 'node:crypto';
import { expiredWords, type Peer, type PeerJudge } from '@gridtokenx/runtime/node';

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const ANY_PURPOSE = '2.5.29.37.0';
const MIN_RSA_BITS = 2048;
const DATES = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);

/**
 * Judges certificates by a moment that the true time is not below ("Time at start"). `floorMs` returns it in ms since
 * 1970, or null while the clock is known to be right: then OpenSSL's verdict by the clock holds.
 *
 * OpenSSL names only the last of several faults, and checks dates late: an unknown authority may hide behind a wrong
 * date. So this function ignores a complaint about a date only when its own checks prove the path to a trusted
 * authority.
 */
export function judgeByFloor(floorMs: () => number | null): PeerJudge {
  return ({ chain, trusted, complaint }: Peer) => {
    const floor = floorMs();
    if (floor === null) return undefined;
    const [leaf, ...sent] = chain;
    if (!leaf) return undefined;
    if (hasEnded(leaf, floor)) return expiredWords(leaf);
    if (complaint === null || !DATES.has(complaint)) return undefined;
    const anchors = trusted.map((pem) => new X509Certificate(pem));
    return pathHolds(leaf, sent, anchors, floor) ? null : UNTRUSTED_WORDS;
  };
}

const UNTRUSTED_WORDS =
  "the gateway cannot prove that a trusted authority signed the certificate while this machine's clock is unsure";

const hasEnded = (certificate: X509Certificate, floorMs: number) => certificate.validToDate.getTime() < floorMs;

/**
 * Returns true when `leaf` may serve, no certificate has expired, and an authority signed `leaf`, or signed a
 * certificate of `sent` that signed `leaf`.
 */
function pathHolds(
  leaf: X509Certificate,
  sent: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
  floorMs: number,
): boolean {
  if (!mayServe(leaf) || !isStrong(leaf)) return false;
  const authorities = anchors.filter((anchor) => anchor.ca && !hasEnded(anchor, floorMs));
  const signedByAuthority = (one: X509Certificate) => authorities.some((anchor) => signed(one, anchor));
  if (signedByAuthority(leaf)) return true;
  // One intermediate certificate at most: a chain of authorities would bring path lengths in.
  return sent.some(
    (middle) =>
      middle.ca &&
      mayServe(middle) &&
      isStrong(middle) &&
      !hasEnded(middle, floorMs) &&
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
