import type { Logger } from '@gridtokenx/runtime/core';
import { CertificateFiles, type Dial, dialTls, type PeerJudge } from '@gridtokenx/runtime/node';
import type { BrokerConfig, GatewayConfig, OracleConfig } from './config.js';

const CONNECT_MS = 10_000;
const CERTIFICATE_EVERY_MS = 1_000;

/** Opens TLS connections to the broker; undefined where its URL has no TLS. */
export function brokerDial(broker: BrokerConfig, judge: PeerJudge): Dial | undefined {
  const url = new URL(broker.url);
  if (url.protocol !== 'mqtts:') return undefined;
  const target = { ...addressOf(url, 8883), serverName: broker.server_name, caFile: broker.ca_file };
  return () => dialTls(target, CONNECT_MS, judge);
}

/** Opens TLS connections to an oracle; undefined where its URL has no TLS. */
export function oracleDial({ url: text, ca_file: caFile }: OracleConfig, judge: PeerJudge): Dial | undefined {
  if (!text?.startsWith('https:')) return undefined;
  const target = { ...addressOf(new URL(text), 443), caFile };
  return () => dialTls(target, CONNECT_MS, judge);
}

function addressOf({ hostname, port }: URL, usual: number) {
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? usual : Number(port) };
}

/** Loads the certificate of the status page and watches it for renewals until aborted. Throws `CertificateError`. */
export function serverCertificate(
  config: GatewayConfig,
  now: () => number,
  log: Logger,
  signal: AbortSignal,
): CertificateFiles | undefined {
  const tls = config.http?.tls;
  if (!tls) return undefined;
  const own = { certFile: tls.cert_file, keyFile: tls.key_file, minVersion: tls.min_version };
  const certificate = new CertificateFiles({ ...own, now, log });
  certificate.watch(CERTIFICATE_EVERY_MS);
  signal.addEventListener('abort', () => certificate.stop(), { once: true });
  return certificate;
}
