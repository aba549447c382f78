import { join, resolve } from 'node:path';
import { base58Encode, fromHex, type LiveReading, type Reading, signTime, toHex } from '@gridtokenx/protocol';
import { diskSpace } from '@gridtokenx/runtime';
import { simulatedClock, systemClock, systemRandomness, systemRealClock } from '../adapters/clock/index.js';
import { readKeyFile } from '../adapters/files/key.js';
import { MetersFile } from '../adapters/files/meters.js';
import { makeMetrics } from '../adapters/http/metrics.js';
import { Uplink } from '../adapters/mqtt/index.js';
import { provenVerifier, sodiumSigner } from '../adapters/sodium/index.js';
import { openChecks, usualThreads } from '../adapters/sodium/threads.js';
import type { Database, Migration } from '../adapters/sqlite/database.js';
import { openDatabase } from '../adapters/sqlite/database.js';
import { influxMigrations } from '../adapters/sqlite/feed-record.js';
import { SqliteLedger } from '../adapters/sqlite/ledger.js';
import { ledgerMigrations } from '../adapters/sqlite/schema.js';
import { knownMeters, SqliteStatements, SqliteViews } from '../adapters/sqlite/views.js';
import { AckSender } from '../domain/intake/ack-sender.js';
import { BackwardClock } from '../domain/intake/clock-back.js';
import { Intake } from '../domain/intake/intake.js';
import type { Ledger } from '../domain/intake/ports.js';
import type { Settlements } from '../domain/live/ports.js';
import { isSeriesTime } from '../domain/live/series-write.js';
import { describeSettlement, describeState, GatewayBook } from '../domain/live/state.js';
import type { Logger, MeterRecord } from '../domain/ports.js';
import { verdictName } from '../domain/verdicts/verdict.js';
import type { Chain, ChainDeps } from './chain.js';
import type { Config } from './config.js';
import { oracleHealth } from './health.js';
import { openCertificates, openListeners } from './listeners.js';
import { brokerDial, securePeers } from './secure.js';
import { openSeries } from './series.js';

/** Parts that a test may put others around; an application takes none. */
export interface Parts {
  readonly aroundLedger?: (ledger: Ledger) => Ledger;
}

export interface Oracle {
  /** Where the page is served. */
  readonly port: number;
  /** Where time and co-signing are served; null where they are not. */
  readonly servicePort: number | null;
  /** Base58. */
  readonly publicKey: string;
  /** Stores what came, tells what is stored, finishes on chain, closes everything. */
  stop(): Promise<void>;
}

const METERS_FILE_EVERY_MS = 2_000;

/**
 * Wires adapters to the domain and starts; paths in `config` are relative to `directory`. Rejects with an `Error` that
 * says what is missing or taken; nothing runs then.
 */
export async function startOracle(
  config: Config,
  directory: string,
  logger: Logger,
  parts: Parts = {},
): Promise<Oracle> {
  const path = (name: string) => resolve(directory, name);
  const verifier = provenVerifier();
  const signer = sodiumSigner(readKeyFile(path(config.key_file)));
  const networkId = fromHex(config.network_id);
  const realClock = systemRealClock;
  const randomness = systemRandomness;
  const simulated = config.clock?.simulated;
  const certificates = openCertificates(config, path, realClock, logger);
  const clock = simulated === undefined ? systemClock : simulatedClock(path(simulated), realClock, logger);

  const chainModule = config.rpc_url === undefined ? null : await loadChain();
  const database = openDatabase(join(path(config.data_dir), 'ledger.sqlite'), [
    ...ledgerMigrations,
    ...influxMigrations,
    ...(chainModule?.chainMigrations ?? []),
  ]);
  const statements = new SqliteStatements(database.sqlite);
  const { threshold = 1 } = config;
  const peers = config.peers && securePeers(config.peers, path);
  const exchange = (from: Uint8Array, messages: readonly Uint8Array[]) =>
    intake.exchange(from, messages, (meterId) => views.gatewayOf(meterId));
  const chain =
    chainModule && config.rpc_url !== undefined
      ? await chainModule.startSettlement({
          options: {
            networkId,
            rpcUrl: config.rpc_url,
            attestorKeyFile: path(config.attestor_key_file ?? ''),
            ...(config.chain?.snapshot_url ? { snapshotUrl: config.chain.snapshot_url } : {}),
            graceMs: config.attest?.grace_ms ?? 3_000,
            commitment: config.attest?.commitment ?? 'confirmed',
            ...(config.attest?.round_ms === undefined ? {} : { roundMs: config.attest.round_ms }),
          },
          database,
          statements,
          knownMeters: knownMeters(database.sqlite),
          ...(peers ? { cosign: { peers, threshold, signer, verifier, exchange } } : {}),
          realTimeOf: (ms) => clock.realTimeOf(ms),
          clock,
          realClock,
          randomness,
          logger,
        })
      : withoutChain(new MetersFile(path(config.meters_file ?? ''), realClock));
  const { registry, settlements } = chain;

  const bare = new SqliteLedger(database, registry, randomness, () => statements.changed());
  const ledger = parts.aroundLedger?.(bare) ?? bare;
  const views = new SqliteViews(database.sqlite);
  const series = orClose(database, () => openSeries(config, path, { ledger, database, realClock, randomness, logger }));
  const gateways = new GatewayBook(realClock);
  const metrics = makeMetrics({
    isBrokerConnected: () => uplink.isConnected,
    ledgerFailures: () => intake.failures,
    chainPending: () => settlements.chainState().pending,
    series: () => series.state(),
    registryAgeMs: () => realClock.now() - registry.asOf.fetchedAtMs,
    ...(certificates.days ? { certificateDays: certificates.days } : {}),
  });

  const threads = config.verify_threads ?? usualThreads();
  const checks = openChecks({ threads, verifier, realClock, logger });
  const liveTimes = new Map<string, number>();
  const showLive = (meter: MeterRecord, reading: Reading) => {
    // Only what is newer than what was shown: dashboards show now, the time series has the rest.
    const timeMs = Number(reading.timeMs);
    if (!isSeriesTime(timeMs) || timeMs <= (liveTimes.get(meter.meterId) ?? 0)) return;
    liveTimes.set(meter.meterId, timeMs);
    const gateway = views.meter(meter).gateway;
    uplink.publishLive(liveReading(meter, reading, gateway ? base58Encode(gateway) : ''), reading.meterId);
  };
  const acks: AckSender = new AckSender({
    ledger,
    signer,
    realClock,
    logger,
    canTell: () => registry.asOf.fetchedAtMs > 0,
    publish: (gateway, message) => uplink.publishAck(gateway, message),
    onSent: (lagMs) => metrics.ackLag(lagMs),
  });
  const intake: Intake = new Intake({
    ledger,
    registry,
    verifier,
    checks,
    networkId,
    clock,
    realClock,
    logger,
    onStored: (told) => {
      for (const gateway of told) acks.mark(gateway);
    },
    onRegistry: () => series.wake(),
    onVerified: (verified) => {
      // Of a commit's readings only the newest of each meter: a backlog is no live value.
      const newest = new Map(verified.map((entry) => [entry.meter.meterId, entry]));
      for (const entry of verified) {
        if (entry.reading.timeMs > (newest.get(entry.meter.meterId)?.reading.timeMs ?? 0n)) {
          newest.set(entry.meter.meterId, entry);
        }
      }
      for (const { meter, reading } of newest.values()) showLive(meter, reading);
      series.wake();
    },
    onCommit: ({ messages, ms, verdicts }) => {
      backwards.look();
      if (messages > 0 && ms > 0) metrics.commit(ms);
      for (const [code, n] of verdicts) metrics.count(verdictName(code), n);
    },
  });
  const uplink: Uplink = new Uplink(
    { url: config.broker.url, brokerName: config.broker.name, dial: brokerDial(config, path) },
    {
      signer,
      realClock,
      randomness,
      logger,
      onPacket: (packet) => {
        gateways.heard(packet.gateway);
        intake.receive(packet);
      },
      onStatus: (gateway, status) => {
        gateways.status(gateway, status);
        // A gateway that connects waits for an ack before it closes a window, the first one included.
        if (status?.online) acks.mark(gateway);
      },
      onConnect: () => acks.markAll(),
    },
  );

  const backwards = new BackwardClock(() => clock.now());
  const health = oracleHealth({
    ...{ broker: uplink, intake, database, registry, settlements, series, clock: backwards },
    certificate: () => certificates.problems(),
    overQuota: () => views.overQuota(realClock.now()),
    diskSpace: diskSpace(path(config.data_dir), () => realClock.monotonic()),
    now: () => realClock.now(),
  });

  const oracleName = base58Encode(signer.publicKey);
  const stateDeps = {
    networkId,
    ledgerId: ledger.id,
    verifier: verifier.name,
    oracle: oracleName,
    attestor: chain.attestor,
    utcOffsetMinutes: config.clock?.utc_offset_minutes ?? 0,
    clock,
    realClock,
    registry,
    settlements,
    views,
    gateways,
    series: () => series.state(),
  };
  const page = {
    state: () => describeState(stateDeps),
    settlements: (after: number, limit: number) => settlements.after(after, limit).map(describeSettlement),
    health: () => health.report(),
    metrics: async () => ({ contentType: metrics.contentType, text: await metrics.text() }),
  };
  const service = {
    cosign: chain.cosign ?? null,
    time: (nonce: Uint8Array) => signTime({ timeMs: realClock.now(), nonce }, signer),
  };
  const listeners = await openListeners(config, certificates, { page, service }, logger).catch(
    async (error: unknown) => {
      await checks.close();
      database.sqlite.close();
      throw error;
    },
  );

  intake.start();
  series.wake();
  uplink.start();
  chain.start();
  const { port, servicePort } = listeners;
  logger.info(
    { port, servicePort, oracle: oracleName, verifier: verifier.name, threads, ledger: toHex(ledger.id) },
    'oracle serves',
  );

  return {
    port,
    servicePort,
    publicKey: oracleName,
    async stop() {
      certificates.stop();
      intake.stop();
      await checks.close();
      acks.stop();
      await chain.stop();
      await uplink.stop();
      listeners.close();
      await series.stop();
      database.sqlite.close();
    },
  };
}

interface ChainModule {
  readonly chainMigrations: readonly Migration[];
  readonly startSettlement: (deps: ChainDeps) => Promise<Chain>;
}

/** What `work` returns; the ledger is not left open when it throws. */
function orClose<T>(database: Database, work: () => T): T {
  try {
    return work();
  } catch (error) {
    database.sqlite.close();
    throw error;
  }
}

/** Loaded only where there is a chain: web3.js is large. */
async function loadChain(): Promise<ChainModule> {
  return import('./chain.js');
}

/** Meters come from a file that is read again now and then; nothing is settled. */
function withoutChain(registry: MetersFile): Chain {
  const settlements: Settlements = {
    after: () => [],
    totalsOf: () => undefined,
    chainState: () => ({ pending: 0, sender: 'no chain: verifying only', lastSnapshotSlot: null }),
  };
  let cancel = () => {};
  const again = () => {
    registry.refresh().catch(() => undefined);
    cancel = systemRealClock.after(METERS_FILE_EVERY_MS, again);
  };
  return { registry, settlements, attestor: '', start: again, stop: async () => cancel() };
}

function liveReading(meter: MeterRecord, reading: Reading, gateway: string): LiveReading {
  return {
    meter: meter.meterId,
    gateway,
    zone: meter.zone,
    seq: String(reading.seq),
    timeMs: Number(reading.timeMs),
    importWh: String(reading.importWh),
    exportWh: String(reading.exportWh),
    powerW: reading.powerW,
    voltageDv: reading.voltageDv,
    frequencyChz: reading.frequencyChz,
    quality: reading.quality,
    signer: meter.signer,
  };
}
