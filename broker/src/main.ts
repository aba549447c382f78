import { dirname, resolve } from 'node:path';
import { BoundedLog, CertificateError, CertificateFiles, keepHeapSmall, privateFiles } from '@gridtokenx/runtime';
import { Command } from 'commander';
import { pino } from 'pino';
import type { Registry } from 'prom-client';
import { AedesServer } from './adapters/aedes/server.js';
import { systemClock } from './adapters/clock.js';
import { serveHttp } from './adapters/http.js';
import { KeysFile } from './adapters/keys-file.js';
import { certificateMetrics, prometheusMetrics } from './adapters/metrics.js';
import { provedVerifier } from './adapters/sodium.js';
import { type BrokerConfig, ConfigError, readConfig } from './config.js';
import { brokerHealth } from './health.js';
import type { Log } from './ports.js';

const KEYS_EVERY_MS = 250;
const CERTIFICATE_EVERY_MS = 1_000;

/** Says what is wrong and what to do, and ends with the code for a bad set-up. */
function giveUp(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function explain(error: unknown, what: string, address: { host: string; port: number }): string {
  const code = (error as NodeJS.ErrnoException).code;
  const where = `${address.host}:${address.port}`;
  if (code === 'EADDRINUSE') return `${what}: ${where} is taken; stop what listens there, or choose another port`;
  if (code === 'EACCES') return `${what}: not allowed to listen on ${where}; choose a port above 1023`;
  if (code === 'EADDRNOTAVAIL') return `${what}: ${address.host} is no address of this machine; correct the host`;
  return `${what}: cannot listen on ${where}: ${String(error)}`;
}

function openKeys(path: string, log: Log): KeysFile {
  try {
    return new KeysFile(path, log);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') giveUp(`${path}: the keys file is missing; provisioning writes it`);
    return giveUp(`${path}:1: keys: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The server's certificate, watched for renewals; undefined where the broker speaks plain MQTT. */
function openCertificate({ tls }: BrokerConfig, folder: string, log: Log, registry: Registry) {
  if (!tls) return undefined;
  const figures = certificateMetrics(registry);
  try {
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
  } catch (error) {
    if (error instanceof CertificateError) giveUp(error.message);
    throw error;
  }
}

async function run(path: string): Promise<void> {
  privateFiles();
  keepHeapSmall();
  const config = readConfig(path);
  const log = new BoundedLog(pino({ name: 'broker' }), (ms, task) => systemClock.after(ms, task));
  const verifier = provedVerifier();
  const keys = openKeys(resolve(dirname(path), config.keysFile), log);
  const { metrics, registry } = prometheusMetrics();
  const certificate = openCertificate(config, dirname(path), log, registry);
  const server = new AedesServer({ ...config, certificate, keys, verifier, clock: systemClock, log, metrics });
  await server.listen(config.host, config.port).catch((error) => giveUp(explain(error, 'MQTT', config)));
  const health = brokerHealth({ server, keys, certificate: () => certificate?.problem, now: systemClock.nowMs });
  const http = await serveHttp(config.http, registry, () => ({
    ...health.report(),
    name: config.name,
    keys: keys.size,
    verifier: verifier.name,
    tls: certificate ? { days: Math.floor(certificate.expiryDays), refused: certificate.refused } : null,
  })).catch((error) => giveUp(explain(error, 'HTTP', config.http)));
  keys.watch(KEYS_EVERY_MS);
  certificate?.watch(CERTIFICATE_EVERY_MS);
  log.info(
    { host: config.host, port: config.port, keys: keys.size, verifier: verifier.name, tls: certificate !== undefined },
    'broker serves',
  );

  let stopping = false;
  const stop = (why: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ why }, 'broker stops');
    log.flush();
    keys.stop();
    certificate?.stop();
    http.close();
    http.closeAllConnections();
    void server.close().then(() => process.exit(0));
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  if (process.send) {
    process.on('disconnect', () => stop('parent gone'));
    process.send({ type: 'ready' });
  }
}

const program = new Command('gridtokenx-broker').description('MQTT broker with sign-in by key');
program
  .command('run', { isDefault: true })
  .description('serve until stopped')
  .requiredOption('--config <file>', 'YAML or JSON')
  .action(({ config }: { config: string }) => run(config));
await program.parseAsync().catch((error) => {
  if (error instanceof ConfigError) giveUp(error.message);
  throw error;
});
