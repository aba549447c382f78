import { join } from 'node:path';
import { base58Encode, Kind, type MeterId, Role, type Verifier } from '@gridtokenx/protocol';
import { BoundedLog, diskSpace, type HealthReport, type PeerJudge } from '@gridtokenx/runtime';
import { pino } from 'pino';
import { askOracleTime } from '../adapters/clock/oracle-time.js';
import { realTime } from '../adapters/clock/real-time.js';
import { SystemClock } from '../adapters/clock/system.js';
import { nodeDisk } from '../adapters/disk/node-disk.js';
import { FrameRing } from '../adapters/frames/ring.js';
import { serveHttp } from '../adapters/http/server.js';
import { Metrics } from '../adapters/metrics.js';
import { mqttLink } from '../adapters/mqtt/link.js';
import { systemRandom } from '../adapters/random.js';
import { HEADER_BYTES } from '../adapters/spool/record.js';
import { BusStats } from '../domain/bus/stats.js';
import { busProblems, busView } from '../domain/bus/words.js';
import { AckBook, oracleName } from '../domain/delivery/acks.js';
import { Outbox } from '../domain/delivery/outbox.js';
import { Uplink } from '../domain/delivery/uplink.js';
import { Gateway, type Metered } from '../domain/gateway.js';
import { Meter } from '../domain/metering/meter.js';
import type { Logger } from '../domain/ports.js';
import type { SignedMessage } from '../domain/signed-message.js';
import type { Fate } from '../domain/signing/point.js';
import { pause } from '../domain/wait.js';
import type { GatewayConfig } from './config.js';
import { gatewayHealth } from './health.js';
import { pointFeed, pointOf } from './points.js';
import { brokerDial, keepFloor, openFloor, oracleDial, peerJudge, serverCertificate } from './secure.js';
import {
  configHash,
  framesDir,
  openBuses,
  provedVerifier,
  readingClock,
  type SetUpMeter,
  StartError,
  setUp,
  softwareHash,
  takeDirectory,
} from './setup.js';

export const VERSION = '0.1.0';
/** Exit code after which a supervisor starts the gateway again. */
const GIVEN_UP = 75;
const RECORD_BYTES = HEADER_BYTES + 171;
/** An oracle is asked for the time this often, and sooner until one has answered; real milliseconds. */
const TIME_MS = 600_000;
const TIME_RETRY_MS = 5_000;

/** Wires the adapters to the domain and runs until aborted. Throws `StartError` when it cannot start. */
export async function run(config: GatewayConfig, signal: AbortSignal, ready: () => void): Promise<void> {
  const log = new BoundedLog(pino({ name: `gateway ${config.name}` }), (ms, task) => setTimeout(task, ms).unref());
  signal.addEventListener('abort', () => log.flush(), { once: true });
  await takeDirectory(config);
  const verifier = provedVerifier();
  const clock = readingClock(config, realTime);
  const certificate = serverCertificate(config, log, signal);
  const metrics = new Metrics();
  const frames = new FrameRing({ disk: nodeDisk, dir: framesDir(config), real: realTime });
  const buses = openBuses(config, realTime, {
    keep: (frame) => frames.keep(frame),
    stats: (bus) => new BusStats((what) => metrics.add('bus', { bus, what })),
    // A port that will not open again is held by this very process: the supervisor starts another.
    giveUp: (reason) => {
      log.error({ reason }, 'a serial port cannot be opened any more: ending, to be started anew');
      process.exit(GIVEN_UP);
    },
  });
  let committed = (_message: SignedMessage) => {};
  const found = await setUp(config, {
    clock,
    real: realTime,
    counters: metrics,
    buses,
    committed: (message) => committed(message),
  });
  const { spool, damage } = found;
  if (damage.damagedBytes > 0 || damage.tornBytes > 0)
    log.warn({ ...damage }, 'the spool was damaged: what is lost is declared');
  const floor = await openFloor(config);
  const judge = peerJudge(floor, clock);
  const acks = new AckBook(
    config.oracles.map(({ key }) => oracleName(key)),
    config.ack_threshold,
  );
  const acksPath = join(config.data_dir, 'state', 'acks.json');
  const saved = await nodeDisk.read(acksPath);
  if (saved) acks.restore(Buffer.from(saved).toString('utf8'));
  const fate = (meter: MeterId, seq: bigint): Fate => {
    if (acks.acknowledged(meter) < seq) return 'open';
    return gateway.excluded(meter, seq) ? 'refused' : 'acknowledged';
  };
  const points = found.points.map((point) => ({ found: point, point: pointOf(point, fate, realTime, log) }));
  const feed = pointFeed(points);
  const meters: Metered[] = [
    ...found.meters.map((meter) => meterOf(config, meter, { clock, log, metrics, frames })),
    ...points.map(({ point }) => point),
  ];
  const gateway: Gateway = new Gateway({
    meters,
    oracles: config.oracles.length,
    spool,
    spoolMaxBytes: config.spool_max_bytes,
    acks,
    saveAcks: (text) => nodeDisk.replace(acksPath, Buffer.from(text)),
    clock,
    real: realTime,
    random: systemRandom,
    log,
    counters: metrics,
    softwareHash: softwareHash(),
    configHash: configHash(config),
    tornRecords: Math.ceil(damage.tornBytes / RECORD_BYTES),
  });
  const ids = meters.map(({ id }) => id);
  const outbox = new Outbox({
    spool,
    meters: ids,
    acknowledged: (meter) => acks.acknowledged(meter),
    excluded: (meter, seq) => gateway.excluded(meter, seq),
    lag: (meter) => gateway.lag(meter),
  });
  const busList = [...buses.values()];
  const health = gatewayHealth({
    gateway,
    buses: () => busList.flatMap((bus) => busProblems(bus, realTime.monotonicMs())),
    certificate: () => certificate?.problem,
    frames,
    diskSpace: diskSpace(config.data_dir, () => realTime.monotonicMs()),
    now: () => realTime.nowMs(),
  });
  const problems = () => health.report().problems;
  const uplink = new Uplink({
    broker: config.broker.name,
    oracles: config.oracles.map(({ key }) => key),
    signer: found.gateway,
    verifier,
    link: mqttLink(config.broker.url, brokerDial(config, judge)),
    real: realTime,
    random: systemRandom,
    log,
    counters: metrics,
    outbox,
    status: () => ({
      version: VERSION,
      name: config.name,
      spoolDepth: gateway.spoolDepth(),
      clockSynchronised: (clock.uncertaintyMs() ?? Number.POSITIVE_INFINITY) <= 60_000,
      problems: problems().map((text) => text.slice(0, 200)),
    }),
    onAck: (oracle, ack) => gateway.onAck(oracle, ack),
    onSubscribed: () => gateway.onSubscribed(),
  });
  committed = (message) => {
    // Enrolments travel as backfill: they are the first of their key, and wait for the registry.
    if (message.kind !== Kind.enrolment) outbox.committed(message);
    feed(message);
    uplink.poke();
  };
  metrics.watch({
    spool_depth: () => gateway.spoolDepth(),
    spool_bytes: () => spool.bytes(),
    online: () => (uplink.online ? 1 : 0),
    problems: () => problems().length,
    ...(certificate ? { certificate_expiry_days: () => certificate.expiryDays } : {}),
  });
  const view = () => ({
    name: config.name,
    version: VERSION,
    gateway: base58Encode(found.gateway.publicKey),
    broker: { url: config.broker.url, online: uplink.online },
    clock: { now_ms: clock.nowMs(), uncertainty_ms: clock.uncertaintyMs(), simulated: config.clock !== undefined },
    verifier: verifier.name,
    spool: { depth: gateway.spoolDepth(), bytes: spool.bytes() },
    raw_frames: frames.dir,
    ...healthView(health.report()),
    meters: meters.map((meter) => meter.view()),
    buses: busList.map((bus) => busView(bus, realTime.monotonicMs())),
  });
  const server = config.http
    ? await serveHttp(config.http, { status: view, metrics: () => metrics.text(), problems }, certificate).catch(
        (error: NodeJS.ErrnoException) => {
          const where = `http ${config.http?.host}:${config.http?.port}`;
          throw new StartError(
            error.code === 'EADDRINUSE' ? `${where} is taken: choose another http.port` : `${where}: ${error.message}`,
          );
        },
      )
    : null;
  const time = clock instanceof SystemClock ? keepTime(config, clock, judge, verifier, log, signal) : Promise.resolve();
  log.info(
    { gateway: base58Encode(found.gateway.publicKey), meters: meters.length, verifier: verifier.name },
    'gateway runs',
  );
  ready();
  const floorKept = keepFloor(floor, clock, log, signal);
  await Promise.all([gateway.run(uplink, outbox, signal), time, floorKept]);
  server?.close();
  server?.closeAllConnections();
  await Promise.all(busList.map((bus) => bus.close()));
  await frames.flush();
  await spool.close();
}

const healthView = ({ problems, conditions }: HealthReport) => ({ problems, conditions });

function meterOf(
  config: GatewayConfig,
  found: SetUpMeter,
  around: { clock: ReturnType<typeof readingClock>; log: Logger; metrics: Metrics; frames: FrameRing },
) {
  const { config: meter, line } = found;
  const { clock, log, metrics, frames } = around;
  const nearWh = found.recovered.lastGood?.importWh ?? 0n;
  return new Meter({
    name: meter.name,
    role: (Object.keys(Role) as (keyof typeof Role)[]).find((name) => Role[name] === meter.role) ?? 'point',
    profileName: line.profileName,
    log: found.log,
    recovered: found.recovered,
    reader: line.reader,
    readSerial: line.readSerial,
    serial: meter.serial,
    limits: {
      importLimitW: meter.import_limit_w,
      exportLimitW: meter.export_limit_w,
      // Registers are floored: two readings may differ by a step more than the energy between them.
      get stepWh() {
        return 2 * Number(line.reader.stepWh(nearWh));
      },
    },
    // Time-outs are real time and a simulated clock's periods are not: there nothing is compared.
    leastPeriod: () => (config.clock ? null : line.reader.leastPeriod()),
    keepFrames: () => frames.mark(meter.bus, meter.unit),
    plan: { pollMs: meter.poll_seconds * 1000, leadMs: config.boundary_lead_seconds * 1000 },
    clock,
    real: realTime,
    logger: log,
    counters: metrics,
  });
}

/** Keeps the system clock's uncertainty known, from whichever oracle answers. */
async function keepTime(
  config: GatewayConfig,
  clock: SystemClock,
  judge: PeerJudge,
  verifier: Verifier,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    let known = false;
    for (const oracle of config.oracles) {
      const { key, url } = oracle;
      if (!url || known) continue;
      try {
        const dial = oracleDial(oracle, judge);
        clock.proved(await askOracleTime({ url, key, dial }, verifier, realTime, systemRandom));
        known = true;
      } catch (error) {
        log.warn({ url, error: (error as Error).message }, 'no signed time from this oracle');
      }
    }
    await pause(realTime, known ? TIME_MS : TIME_RETRY_MS, signal);
  }
}
