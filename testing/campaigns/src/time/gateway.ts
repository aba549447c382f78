import {
  asMeterId,
  base58Encode,
  decodePayload,
  Kind,
  openToken,
  Role,
  Source,
  toHex,
  type Verifier,
  windowOf,
} from '@gridtokenx/protocol';
import type { Clock } from '@gridtokenx/runtime/core';
import { BrokerLink, type MqttSession } from '@gridtokenx/runtime/node';
import { CrashDisk, PowerCut, SectorFate } from '@gridtokenx/testing-kit/crash-disk';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { FloorTime } from '#edge/adapters/clock/floor.js';
import { openSpool } from '#edge/adapters/spool/spool.js';
import { contentOf, type SignedMessage } from '#edge/domain/signed-message.js';
import { MeterJournal } from '#edge/domain/signing/meter-journal.js';
import { decodeState, encodeState, FRESH_STATE } from '#edge/domain/signing/meter-state.js';
import { RecoveryScan } from '#edge/domain/signing/recovery.js';
import type { DisciplinedClock } from '#edge/domain/time/disciplined-clock.js';
import { TimeKeeper } from '#edge/domain/time/time-keeper.js';
import { correctedClock, keepFloor } from '#edge/wiring/clocks.js';
import { type Home, NETWORK, payloadOfSigStructure, registersAt, type Witness } from '../disk/world.js';
import { isGood, judgeOne, type Seen } from './judge.js';
import { FIGURES, type Figures, Life, PLAN } from './life.js';
import { DAY_MS, type LifePlan, type TrialPlan } from './plan.js';
import { clockOf } from './rules.js';
import { START_MS, type TimeWorld } from './world.js';

/** Longest time between two looks whether the power failed, ms. */
const TICK_MS = 10_000;
const FLOOR_FILE = '/data/state/floor.json';
const BUILT_AT_MS = START_MS - 200 * DAY_MS;
const SEGMENT_BYTES = 1 << 20;
/** One record of the spool: a message of 171 bytes in its frame. */
const RECORD_BYTES = 187;
const BROKER = 'broker';
/** Clocks of broker and gateway may differ by this much, s [wire §6.4]. */
const LEEWAY_SECONDS = 60;

export interface TrialParts {
  readonly home: Home;
  readonly plan: TrialPlan;
  readonly witness: Witness;
  readonly verifier: Verifier;
}

/** A gateway's clock, keeper, floor, sign-in, journal and spool, wired as the program does, over several power cuts. */
export class TimedGateway {
  readonly seen: Seen[] = [];
  readonly faults = new Set<string>();
  readonly figures: Figures = { ...FIGURES, trials: 1 };
  readonly #world: TimeWorld;
  readonly #parts: TrialParts;
  readonly #disk: CrashDisk;
  #life: Life | null = null;
  /** Contents of signed statements by window. */
  readonly #stated = new Map<number, string>();

  constructor(world: TimeWorld, parts: TrialParts) {
    this.#world = world;
    this.#parts = parts;
    this.#disk = new CrashDisk(new SectorFate(world.random));
  }

  /** Boots, runs until the power fails, and leaves the disk as the cut does. */
  async live(plan: LifePlan): Promise<void> {
    const { figures } = this;
    const [world, disk, { home, plan: trial }] = [this.#world, this.#disk, this.#parts];
    await world.clock.advance(plan.offMs);
    world.boot(trial.boot);
    const isFirst = figures.lives++ === 0;
    figures.steps += plan.steps.length;
    const process = world.clock.process();
    if (isFirst && trial.floorAheadMs !== null)
      await disk.replace(FLOOR_FILE, floorOf(world.trueMs + trial.floorAheadMs));
    world.plan(plan, process.clock);
    if (plan.fuse !== null) disk.fuse = plan.fuse;
    this.#watched(this.#run(plan, process.clock, home));
    while (world.upMs < plan.lastsMs && !disk.isOff) await world.clock.advance(TICK_MS);
    if (disk.isOff) figures['power cuts']++;
    process.end();
    this.#life = null;
    world.shutDown();
    disk.isOff = true;
    disk.restart();
    await this.#judgeFloor();
  }

  #watched(work: Promise<unknown>): void {
    work.catch((error: Error) => {
      if (!(error instanceof PowerCut) && !this.#disk.isOff) this.faults.add(`the gateway ended: ${error.stack}`);
    });
  }

  async #run(plan: LifePlan, clock: Clock, home: Home): Promise<void> {
    const [world, { figures }] = [this.#world, this];
    const floor = await FloorTime.open(this.#disk, FLOOR_FILE, BUILT_AT_MS);
    const sources = world.sources(plan, clock);
    const disciplined = clockOf(clock, { floorMs: () => floor.ms, hasOracles: sources.oracles !== null });
    const { journal, recovered } = await this.#journal(clock, disciplined, home);
    const link = this.#link(disciplined, clock);
    const fault = (words: string) => void this.faults.add(words);
    const isSignedIn = () => link.isConnected;
    const life = new Life({ world, clock, disciplined, floor, journal, recovered, figures, fault, isSignedIn });
    this.#life = life;
    const keeper = new TimeKeeper({
      ...{ ...sources, disciplined, clock, random: world.random },
      onSigned: ({ timeMs, errorMs }) => this.#watched(life.answered(timeMs + errorMs)),
      onCorrected: () => link.retryNow(),
    });
    const { signal } = new AbortController();
    const kept = keepFloor(floor, { readingClock: disciplined, clock, log: quietLog }, signal);
    await Promise.all([link.run(signal), keeper.run(signal), kept, life.run()]);
  }

  /** Opens what the disk holds, and signs the first messages of the run. */
  async #journal(clock: Clock, readingClock: DisciplinedClock, home: Home) {
    const [disk, id] = [this.#disk, asMeterId(home.meterId)];
    const scan = new RecoveryScan();
    const visit = (message: SignedMessage) => scan.visit(message);
    const { spool, damage } = await openSpool(disk, '/data/spool', clock, visit, SEGMENT_BYTES);
    const path = `/data/state/${id}.json`;
    const saved = await disk.read(path);
    const state = saved ? decodeState(Buffer.from(saved).toString('utf8')) : FRESH_STATE;
    const recovered = scan.result(id);
    const journal = new MeterJournal({ networkId: NETWORK, meterId: home.meterId }, state, recovered, {
      signer: this.#parts.witness.watched(home.meter, (signed) => this.#signing(payloadOfSigStructure(signed))),
      ...{ spool, readingClock, counters: { add: () => undefined }, gapMs: 3 * PLAN.pollMs },
      store: (next) => disk.replace(path, Buffer.from(encodeState(next))),
      committed: (message) => this.#committed(message),
    });
    if (!recovered.enrolment) scan.visit(await journal.enrol((seq) => enrolmentOf(home, seq)));
    const hashes = { softwareHash: new Uint8Array(16), configHash: new Uint8Array(16) };
    const tornRecords = Math.ceil(damage.tornBytes / RECORD_BYTES);
    await journal.start(recovered, { ...hashes, storedThrough: 0n, tornRecords });
    return { journal, recovered: scan.result(id) };
  }

  /** Notices two statements for one window, also where the power failed before a commit. */
  #signing(payload: Uint8Array): Uint8Array {
    const signed = decodePayload(payload);
    if (signed.kind !== Kind.statement) return payload;
    const content = toHex(payload);
    if ((this.#stated.get(signed.window) ?? content) !== content)
      this.faults.add(`two statements for window ${signed.window}`);
    this.#stated.set(signed.window, content);
    return payload;
  }

  #committed(message: SignedMessage): void {
    const payload = contentOf(message);
    if (!payload) return;
    const one: Seen = { payload, signed: message.payload, trueMs: this.#world.trueMs };
    this.seen.push(one);
    const fault = judgeOne(one, this.#parts.home.record.exportBaselineWh);
    if (fault) this.faults.add(fault);
    if (payload.kind === Kind.statement) this.figures.statements++;
    if (!isGood(payload)) return;
    this.figures['good statements']++;
    this.#life?.good();
  }

  /** The program's link; the broker checks tokens by the true time. */
  #link(disciplined: DisciplinedClock, clock: Clock): BrokerLink {
    const [world, { home, verifier }] = [this.#world, this.#parts];
    const clientId = base58Encode(home.gateway.publicKey);
    const expected = { broker: BROKER, clientId, leewaySeconds: LEEWAY_SECONDS };
    return new BrokerLink({
      ...{ url: 'mqtt://broker', broker: BROKER, signer: home.gateway, subscriptions: [], onMessage: () => {} },
      ...{ clock: correctedClock(disciplined, clock), random: world.random, log: quietLog },
      open: async (_url, { password }) => {
        openToken(password, home.gateway.publicKey, verifier, { ...expected, nowSeconds: world.trueMs / 1_000 });
        return SESSION;
      },
    });
  }

  /** The floor is not above the true time, unless the trial began so and no oracle was heard. */
  async #judgeFloor(): Promise<void> {
    const { floorAheadMs } = this.#parts.plan;
    const floor = await FloorTime.open(this.#disk, FLOOR_FILE, BUILT_AT_MS);
    const wasWrong = (floorAheadMs ?? 0) > 0 && this.figures['floors lowered'] === 0;
    const aheadMs = floor.ms - this.#world.trueMs;
    if (!wasWrong && aheadMs > 1) this.faults.add(`the floor is ${aheadMs} ms ahead of the true time`);
  }
}

const floorOf = (timeMs: number) => Buffer.from(JSON.stringify({ version: 1, time_ms: Math.floor(timeMs) }));

/** A session that never ends. */
const SESSION: MqttSession = {
  ended: new Promise(() => {}),
  subscribe: async () => {},
  publish: async () => {},
  close: async () => {},
  abort: () => {},
};

function enrolmentOf({ record, meterId }: Home, seq: bigint) {
  return {
    ...{ kind: Kind.enrolment, networkId: NETWORK, meterId, seq, owner: new Uint8Array(32).fill(90) },
    ...{ ...registersAt(START_MS, START_MS), zone: record.zone, source: Source.solar, role: Role.point },
    ...{ deviceSigned: false, keyEpoch: 0, window: windowOf(START_MS) },
  } as const;
}
