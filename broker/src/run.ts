import { dirname, resolve } from 'node:path';
import type { Logger } from '@gridtokenx/runtime/core';
import {
  CertificateFiles,
  certificateMetrics,
  listenError,
  Metrics,
  provedVerifier,
  type RunningService,
  runService,
  serveHttp,
  serviceLog,
  systemClock,
} from '@gridtokenx/runtime/node';
import { AedesServer } from './adapters/aedes/server.js';
import { KeysFile } from './adapters/keys-file.js';
import { brokerMetrics } from './adapters/metrics.js';
import { type BrokerConfig, readConfig } from './config.js';
import { brokerHealth } from './health.js';

const KEYS_EVERY_MS = 250;
const CERTIFICATE_EVERY_MS = 1_000;
/** Bounds the connections for health and metrics: two collectors and a person need a handful. */
const HTTP_LIMITS = { connections: 64, perAddress: 16 };

/** Serves by the configuration at `path` until stopped. Rejects with `OperatorError` for what the operator can mend. */
export async function runBroker(path: string): Promise<void> {
  const config = readConfig(path);
  const log = serviceLog('broker');
  await runService('broker', log, () => startBroker(config, dirname(path), log));
}

/** Returns the server's certificate; undefined when the broker speaks plain MQTT. Throws `CertificateError`. */
function openCertificate({ tls }: BrokerConfig, folder: string, log: Logger, metrics: Metrics) {
  if (!tls) return undefined;
  const figures = certificateMetrics(metrics);
  const certificate = new CertificateFiles({
    certFile: resolve(folder, tls.cert_file),
    keyFile: resolve(folder, tls.key_file),
    minVersion: tls.min_version,
    now: systemClock.nowMs,
    log,
    onRenewal: figures.renewal,
  });
  figures.watch(certificate);
  return certificate;
}

/** Starts to serve; resolves when both ports are open. Rejects with `OperatorError` for what the operator can mend. */
export async function startBroker(config: BrokerConfig, folder: string, log: Logger): Promise<RunningService> {
  const verifier = provedVerifier();
  const keys = new KeysFile(resolve(folder, config.keysFile), log);
  const metrics = new Metrics('broker');
  const certificate = openCertificate(config, folder, log, metrics);
  const own = { keys, verifier, clock: systemClock, log, metrics: brokerMetrics(metrics) };
  const server = new AedesServer({ ...config, ...own, certificate });
  await server.listen(config.host, config.port).catch((error: unknown) => {
    throw listenError(error, 'MQTT', config);
  });
  const health = brokerHealth({ server, keys, certificate: () => certificate?.problem, now: systemClock.nowMs });
  const http = await serveHttp({
    ...config.http,
    key: 'HTTP',
    log,
    limits: HTTP_LIMITS,
    metrics,
    health: () => ({
      ...health.report(),
      name: config.name,
      keys: keys.size,
      verifier: verifier.name,
      tls: certificate ? { days: Math.floor(certificate.expiryDays), refused: certificate.refused } : null,
    }),
  });
  keys.watch(KEYS_EVERY_MS);
  certificate?.watch(CERTIFICATE_EVERY_MS);
  const { host, port } = config;
  const tls = certificate !== undefined;
  log.info({ event: 'broker_started', host, port, keys: keys.size, verifier: verifier.name, tls }, 'Broker started');
  return {
    stop: async () => {
      keys.stop();
      certificate?.stop();
      await Promise.all([http.close(), server.close()]);
    },
  };
}
