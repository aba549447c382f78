import { asPublicKeyText, base58Encode } from '@gridtokenx/protocol';
import { diskSpace, serviceLog } from '@gridtokenx/runtime/node';
import { ownProfiles } from '../adapters/profiles/files.js';
import { tornRecordsIn } from '../adapters/spool/record.js';
import { busProblems } from '../domain/bus/messages.js';
import { AckWatch } from '../domain/delivery/ack-watch.js';
import { OraclePresence } from '../domain/delivery/oracle-presence.js';
import { Gateway, type Metered } from '../domain/gateway.js';
import { answerAccepts } from './accepts.js';
import { clockProblem, keepFloor, keepTime, openFloor, peerJudge } from './clocks.js';
import { Commits } from './commits.js';
import type { GatewayConfig } from './config.js';
import { type Delivery, openDelivery, sendCommitted, uplinkOf } from './delivery.js';
import { type GatewayHealth, gatewayHealth } from './health.js';
import { meteredOf } from './metered.js';
import { servePage } from './page.js';
import { checkSomeProfile, closeBuses, configHash, type SetUp, setUp, softwareHash, takeDirectory } from './setup.js';
import { diskBudget } from './sizes.js';
import { stateDir } from './states.js';
import { openWorld, type World } from './world.js';

/** Wires the adapters to the domain and runs until aborted. Rejects with `OperatorError` when it cannot start. */
export async function run(config: GatewayConfig, signal: AbortSignal, ready: () => void): Promise<void> {
  const log = serviceLog(`gateway ${config.name}`);
  signal.addEventListener('abort', () => log.flush(), { once: true });
  checkSomeProfile(config);
  if (config.profiles_dir !== undefined)
    for (const { message } of ownProfiles(config.profiles_dir).faults)
      log.warn({ event: 'profile_skipped', problem: message }, 'Skipped a profile that has a fault');
  await takeDirectory(config);
  const floor = await openFloor(config);
  const world = openWorld(config, floor, log, signal);
  const commits = new Commits();
  const committed = commits.notify.bind(commits);
  const found = await setUp(config, { ...world, counters: world.metrics, committed });
  const { spool, damage } = found;
  if (damage.damagedBytes > 0 || damage.tornBytes > 0)
    log.warn(
      { event: 'spool_damaged', ...damage },
      'The spool was damaged: the gateway declares the lost messages as gaps',
    );
  for (const note of [...found.faults, ...found.notes])
    log.error({ event: 'meter_files_damaged', note }, 'Files of a meter are damaged');
  const judge = peerJudge(floor, world.readingClock, world.clock);
  const delivery = openDelivery(config, found, world);
  const metered = meteredOf(config, found, delivery, world);
  const gateway = gatewayOf(config, found, delivery, metered.all, world);
  const enrolled = () => metered.all.filter((one) => one.enrolled);
  const presence = new OraclePresence({
    clock: world.correctedClock,
    oracles: config.oracles.map(({ key }) => asPublicKeyText(key)),
    threshold: config.ack_threshold,
  });
  const ackWatch = new AckWatch({ acks: delivery.acks, presence, spool, clock: world.clock, meters: enrolled });
  const health = healthOf(config, gateway, ackWatch, world);
  const uplink = uplinkOf(config, {
    found,
    world,
    judge,
    outbox: delivery.outbox,
    gateway,
    ackWatch,
    presence,
    health,
  });
  commits.join(metered.feed);
  commits.join(sendCommitted(delivery.outbox, uplink));
  const server = await servePage(config, { found, world, gateway, metered: metered.all, uplink, health });
  const identity = { gateway: base58Encode(found.gateway.publicKey), meters: metered.all.length };
  log.info({ event: 'gateway_started', ...identity, verifier: world.verifier.name }, 'Gateway started');
  ready();
  await Promise.all([
    gateway.run(uplink, delivery.outbox, signal),
    ackWatch.run(uplink, signal),
    keepTime(floor, world, () => uplink.retryNow(), signal),
    keepFloor(floor, world, signal),
    answerAccepts(metered.meters, { ...world, dir: stateDir(config) }, signal),
  ]);
  await server?.close();
  await closeBuses(world.buses);
  await world.frames.flush();
  await spool.close();
}

function gatewayOf(
  config: GatewayConfig,
  { spool, damage, faults, notes }: SetUp,
  delivery: Delivery,
  meters: readonly Metered[],
  world: World,
): Gateway {
  return new Gateway({
    ...world,
    ...delivery,
    meters,
    oracles: config.oracles.length,
    spool,
    notes: [...faults, ...notes],
    spoolMaxBytes: diskBudget(config).spoolBytes,
    onIgnoredAck: () => world.metrics.add('acks_ignored'),
    clockProblem: () => clockProblem(world),
    softwareHash: softwareHash(),
    configHash: configHash(config),
    tornRecords: tornRecordsIn(damage.tornBytes),
  });
}

function healthOf(
  config: GatewayConfig,
  gateway: Gateway,
  ackWatch: AckWatch,
  { buses, certificate, frames, clock }: World,
): GatewayHealth {
  return gatewayHealth({
    gateway,
    oracles: () => ackWatch.problems(),
    buses: () => [...buses.values()].flatMap((bus) => busProblems(bus, clock.monotonicMs())),
    certificate: () => certificate?.problem,
    frames,
    diskSpace: diskSpace(config.data_dir, () => clock.monotonicMs()),
    now: () => clock.nowMs(),
  });
}
