import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { CertificateError, CertificateFiles, dialTls, type PeerJudge } from '@gridtokenx/runtime';
import { FloorTime } from '../adapters/clock/floor.js';
import { realTime } from '../adapters/clock/real-time.js';
import { SystemClock } from '../adapters/clock/system.js';
import { nodeDisk } from '../adapters/disk/node-disk.js';
import { judgeByFloor } from '../adapters/tls/floor-judge.js';
import type { Logger, ReadingClock } from '../domain/ports.js';
import { pause } from '../domain/wait.js';
import type { GatewayConfig, OracleConfig } from './config.js';
import { StartError } from './setup.js';

/** Opens a connection whose other side has proved its name; rejects with plain words. */
type SecureDial = () => Promise<Duplex>;

const CONNECT_MS = 10_000;
const CERTIFICATE_EVERY_MS = 1_000;
const FLOOR_EVERY_MS = 60_000;
/** From here on the clock is right enough to sign statements, and to judge certificates. */
const RIGHT_MS = 60_000;

/** True when the machine's clock is known to be right. A simulated clock says nothing about it: it is then trusted. */
export function isClockRight(clock: ReadingClock): boolean {
  return !(clock instanceof SystemClock) || (clock.uncertaintyMs() ?? Number.POSITIVE_INFINITY) <= RIGHT_MS;
}

/** The time that certificates are judged by while the clock is unsure. Rejects with the disk's error. */
export function openFloor(config: GatewayConfig): Promise<FloorTime> {
  // The build wrote this file.
  const builtMs = statSync(fileURLToPath(import.meta.url)).mtimeMs;
  return FloorTime.open(nodeDisk, join(config.data_dir, 'state', 'floor.json'), builtMs);
}

/** Stores the time now and then while the clock is right, until aborted. */
export async function keepFloor(
  floor: FloorTime,
  clock: ReadingClock,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    if (clock instanceof SystemClock && isClockRight(clock)) {
      await floor.keep(realTime.nowMs()).catch((error: Error) => log.warn({ error: error.message }, 'time not stored'));
    }
    await pause(realTime, FLOOR_EVERY_MS, signal);
  }
}

/** How certificates of others are judged. */
export function peerJudge(floor: FloorTime, clock: ReadingClock): PeerJudge {
  return judgeByFloor(() => (isClockRight(clock) ? null : floor.ms));
}

/** Opens connections to the broker where they are over TLS. */
export function brokerDial({ broker }: GatewayConfig, judge: PeerJudge): SecureDial | undefined {
  const url = new URL(broker.url);
  if (url.protocol !== 'mqtts:') return undefined;
  const target = { ...addressOf(url, 8883), serverName: broker.server_name, caFile: broker.ca_file };
  return () => dialTls(target, CONNECT_MS, judge);
}

/** Opens connections to an oracle where they are over TLS. */
export function oracleDial({ url: text, ca_file: caFile }: OracleConfig, judge: PeerJudge): SecureDial | undefined {
  if (!text?.startsWith('https:')) return undefined;
  const target = { ...addressOf(new URL(text), 443), caFile };
  return () => dialTls(target, CONNECT_MS, judge);
}

function addressOf({ hostname, port }: URL, usual: number) {
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? usual : Number(port) };
}

/** The certificate of the status page, watched for renewals until aborted. Throws `StartError`. */
export function serverCertificate(
  config: GatewayConfig,
  log: Logger,
  signal: AbortSignal,
): CertificateFiles | undefined {
  const tls = config.http?.tls;
  if (!tls) return undefined;
  try {
    const own = { certFile: tls.cert_file, keyFile: tls.key_file, minVersion: tls.min_version };
    const certificate = new CertificateFiles({ ...own, now: realTime.nowMs, log });
    certificate.watch(CERTIFICATE_EVERY_MS);
    signal.addEventListener('abort', () => certificate.stop(), { once: true });
    return certificate;
  } catch (error) {
    if (error instanceof CertificateError) throw new StartError(error.message);
    throw error;
  }
}
