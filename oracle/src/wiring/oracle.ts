import { base58Encode, toHex } from '@gridtokenx/protocol';
import type { Logger } from '@gridtokenx/runtime/core';
import { systemClock, systemRandom } from '@gridtokenx/runtime/node';
import { OracleMetrics } from '../adapters/http/metrics.js';
import { BrokerClient } from '../adapters/mqtt/broker-client.js';
import { openChecks, spawnThread, usualThreads } from '../adapters/sodium/threads.js';
import { SqliteLedger } from '../adapters/sqlite/ledger.js';
import { SqliteStatements, SqliteViews } from '../adapters/sqlite/views.js';
import { AckSender } from '../domain/intake/ack-sender.js';
import { BackwardClock } from '../domain/intake/clock-back.js';
import { Intake } from '../domain/intake/intake.js';
import { LiveValues } from '../domain/live/live-values.js';
import { GatewayStatuses } from '../domain/live/state.js';
import { JUDGING } from '../domain/verdicts/judging.js';
import { verdictName } from '../domain/verdicts/verdict.js';
import type { Config } from './config.js';
import { type Environment, openEnvironment } from './environment.js';
import { openCertificates, openListeners } from './listeners.js';
import { brokerDial } from './secure.js';
import { openSeries } from './series.js';
import { serve } from './served.js';
import { openSettling, type Settling } from './settling.js';

export interface Oracle {
  /** Port of the page. */
  readonly port: number;
  /** Port of time and co-signing; null where they are not served. */
  readonly servicePort: number | null;
  /** Base58. */
  readonly publicKey: string;
  /** Stores received messages, acknowledges them, finishes on chain and closes everything. */
  stop(): Promise<void>;
}

/**
 * Wires adapters to the domain and starts; paths in `config` are relative to `directory`. Rejects with an `Error` that
 * names what is missing or in use; then nothing runs.
 */
export async function startOracle(config: Config, directory: string, logger: Logger): Promise<Oracle> {
  const around = openEnvironment(config, directory, logger);
  const { signer, verifier, clock } = around;
  const certificates = openCertificates(config, around.path, clock, logger);
  const settling = await openSettling(around);
  const { database, registry } = settling;
  const parts = orClose(settling, () => openParts(around, settling));
  const { intake, checks, acks, chain, uplink, series, gateways, ledger, threads } = parts;
  const served = serve(around, { ...parts, certificates, database, registry });
  const listeners = await openListeners(config, certificates, served, logger).catch(async (error: unknown) => {
    certificates.stop();
    await checks.close();
    database.sqlite.close();
    throw error;
  });
  intake.start();
  series.wake();
  uplink.start({
    onPacket: (packet) => {
      gateways.heard(packet.gateway);
      intake.receive(packet);
    },
    onStatus: (gateway, status) => {
      gateways.status(gateway, status);
      // A gateway that connects waits for an ack before it closes a window, the first window included.
      if (status?.online) acks.mark(gateway);
    },
    onConnect: () => acks.markAll(),
  });
  chain.start();
  const { port, servicePort } = listeners;
  const publicKey = base58Encode(signer.publicKey);
  const shown = { port, servicePort, oracle: publicKey, verifier: verifier.name, threads, ledger: toHex(ledger.id) };
  logger.info({ event: 'oracle_started', ...shown }, 'Oracle started');
  const stop = async () => {
    certificates.stop();
    intake.stop();
    await checks.close();
    acks.stop();
    await chain.stop();
    await uplink.stop();
    await listeners.close();
    await series.stop();
    database.sqlite.close();
  };
  return { port, servicePort, publicKey, stop };
}

/** Returns the result of `work`, and closes the ledger when `work` throws. */
function orClose<T>({ database }: Settling, work: () => T): T {
  try {
    return work();
  } catch (error) {
    database.sqlite.close();
    throw error;
  }
}

/** Opens the parts on a message's way: broker, checks, ledger, acks, live values, settlement. Starts none of them. */
function openParts(around: Environment, { database, registry, settle }: Settling) {
  const { config, path, signer, verifier, readingClock, clock, randomness, logger } = around;
  const statements = new SqliteStatements(database.sqlite);
  const ledger = new SqliteLedger(database, registry, randomness, () => statements.changed(), JUDGING);
  const views = new SqliteViews(database.sqlite);
  const series = openSeries(config, path, { ledger, database, clock, randomness, logger });
  const metrics = new OracleMetrics();
  const { url, name: brokerName } = config.broker;
  const system = { clock: systemClock, random: systemRandom, log: logger };
  const uplink = new BrokerClient({ url, brokerName, dial: brokerDial(config, path), signer, ...system });
  const acks = new AckSender({
    ...{ ledger, signer, clock, logger },
    canTell: () => registry.asOf.fetchedAtMs > 0,
    publish: (gateway, message) => uplink.publishAck(gateway, message),
    onSent: (lagMs) => metrics.ackLag(lagMs),
  });
  const live = new LiveValues({
    gatewayOf: (meterId) => views.gatewayOf(meterId),
    publish: (value, meter) => uplink.publishLive(value, meter),
  });
  const threads = config.verify_threads ?? usualThreads();
  const checks = openChecks({ threads, verifier, clock, random: randomness, logger, spawn: spawnThread });
  const backwards = new BackwardClock(() => readingClock.nowMs());
  const intake = new Intake({
    ...{ ...around, ledger, registry, checks },
    onStored: (told) => {
      for (const gateway of told) acks.mark(gateway);
    },
    onRegistry: () => series.wake(),
    onVerified: (verified) => {
      live.show(verified);
      series.wake();
    },
    onCommit: ({ messages, ms, verdicts }) => {
      backwards.check();
      if (messages > 0 && ms > 0) metrics.commit(ms);
      for (const [code, n] of verdicts) metrics.count(verdictName(code), n);
    },
  });
  const chain = settle(statements, (from, messages) =>
    intake.exchange(from, messages, (meterId) => views.gatewayOf(meterId)),
  );
  const gateways = new GatewayStatuses(clock);
  return { ledger, views, series, metrics, uplink, acks, checks, threads, backwards, intake, chain, gateways };
}
