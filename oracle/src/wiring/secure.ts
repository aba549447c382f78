import type { Duplex } from 'node:stream';
import { asPublicKeyText } from '@gridtokenx/protocol';
import { CertificateFiles, dialTls } from '@gridtokenx/runtime';
import type { Clock, Logger } from '@gridtokenx/runtime/core';
import type { Peer } from '../adapters/chain/cosign/peer.js';
import type { Config, ListenerConfig } from './config.js';

const CONNECT_MS = 10_000;
/** Shorter than for the broker, in ms: a co-signature is worthless once its blockhash expired. */
const PEER_CONNECT_MS = 3_000;
const CERTIFICATE_EVERY_MS = 1_000;
const MQTTS_PORT = 8883;
const HTTPS_PORT = 443;

/** Opens connections to the broker where they use TLS; `path` resolves the paths of the configuration. */
export function brokerDial({ broker }: Config, path: (name: string) => string): (() => Promise<Duplex>) | undefined {
  return new URL(broker.url).protocol === 'mqtts:' ? dialTo(broker, MQTTS_PORT, CONNECT_MS, path) : undefined;
}

/** Returns the other oracles of the zone, with a dialer for those reached over TLS. */
export function securePeers(peers: NonNullable<Config['peers']>, path: (name: string) => string): Peer[] {
  return peers.map((peer) => {
    const { url } = peer;
    const oracle = asPublicKeyText(peer.oracle);
    const attestor = asPublicKeyText(peer.attestor);
    if (new URL(url).protocol !== 'https:') return { oracle, attestor, url };
    return { oracle, attestor, url, dial: dialTo(peer, HTTPS_PORT, PEER_CONNECT_MS, path) };
  });
}

interface Trusted {
  readonly url: string;
  readonly ca_file?: string | undefined;
  readonly server_name?: string | undefined;
}

function dialTo(to: Trusted, usualPort: number, timeoutMs: number, path: (name: string) => string) {
  const { hostname, port } = new URL(to.url);
  const target = {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? usualPort : Number(port),
    serverName: to.server_name,
    caFile: to.ca_file === undefined ? undefined : path(to.ca_file),
  };
  return () => dialTls(target, timeoutMs);
}

/** Returns the certificate that a listener presents, watched for renewals. Throws `CertificateError`. */
export function serverCertificate(
  tls: ListenerConfig['tls'],
  path: (name: string) => string,
  clock: Clock,
  logger: Logger,
): CertificateFiles | undefined {
  if (!tls) return undefined;
  const certificate = new CertificateFiles({
    certFile: path(tls.cert_file),
    keyFile: path(tls.key_file),
    minVersion: tls.min_version,
    now: () => clock.nowMs(),
    log: logger,
  });
  certificate.watch(CERTIFICATE_EVERY_MS);
  return certificate;
}
