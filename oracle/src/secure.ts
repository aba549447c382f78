import type { Duplex } from 'node:stream';
import { CertificateFiles, dialTls } from '@gridtokenx/runtime';
import type { Config } from './config.js';
import type { Logger, RealClock } from './ports.js';

const CONNECT_MS = 10_000;
const CERTIFICATE_EVERY_MS = 1_000;
const MQTTS_PORT = 8883;

/** Opens connections to the broker where they are over TLS; `path` resolves the paths of the configuration. */
export function brokerDial({ broker }: Config, path: (name: string) => string): (() => Promise<Duplex>) | undefined {
  const { protocol, hostname, port } = new URL(broker.url);
  if (protocol !== 'mqtts:') return undefined;
  const target = {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? MQTTS_PORT : Number(port),
    serverName: broker.server_name,
    caFile: broker.ca_file === undefined ? undefined : path(broker.ca_file),
  };
  return () => dialTls(target, CONNECT_MS);
}

/** The certificate that HTTP is served with, watched for renewals. Throws `CertificateError`. */
export function serverCertificate(
  { http: { tls } }: Config,
  path: (name: string) => string,
  realClock: RealClock,
  logger: Logger,
): CertificateFiles | undefined {
  if (!tls) return undefined;
  const certificate = new CertificateFiles({
    certFile: path(tls.cert_file),
    keyFile: path(tls.key_file),
    minVersion: tls.min_version,
    now: () => realClock.now(),
    log: logger,
  });
  certificate.watch(CERTIFICATE_EVERY_MS);
  return certificate;
}
