import { asMeterId, Kind, type MeterId, Role, Source, toHex, type Verifier, windowOf } from '@gridtokenx/protocol';
import type { Clock, Logger, Random as SystemRandom } from '@gridtokenx/runtime/core';
import { BrokerLink } from '@gridtokenx/runtime/node';
import { CrashDisk, PowerCut, SectorFate } from '@gridtokenx/testing-kit/crash-disk';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import type { Random } from '@gridtokenx/testing-kit/random';
import { openSpool } from '#edge/adapters/spool/spool.js';
import { AckTracker, oracleName } from '#edge/domain/delivery/ack-tracker.js';
import { DeadLetters } from '#edge/domain/delivery/dead-letters.js';
import { LagWatch } from '#edge/domain/delivery/lag-watch.js';
import { SendScheduler } from '#edge/domain/delivery/send-scheduler.js';
import { Uplink } from '#edge/domain/delivery/uplink.js';
import { Gateway } from '#edge/domain/gateway.js';
import { Meter } from '#edge/domain/metering/meter.js';
import type { MeterReader, Spool } from '#edge/domain/ports.js';
import type { SignedMessage } from '#edge/domain/signed-message.js';
import { MeterJournal } from '#edge/domain/signing/meter-journal.js';
import { decodeState, encodeState, FRESH_STATE, type MeterState } from '#edge/domain/signing/meter-state.js';
import { openFloor, RecoveryScan } from '#edge/domain/signing/recovery.js';
import type { MemoryBroker } from './broker.js';
import { rules } from './rules.js';
import { processTime, type SimulatedTime } from './time.js';
import { CredulousAckTracker, thriftySpool } from './too-early.js';
import { type Home, LIMIT_W, NETWORK, payloadOfSigStructure, registersAt, type Witness } from './world.js';

const POLL_MS = 60_000;
/** Six records to a segment, so that the spool drops some in each run. */
const SEGMENT_BYTES = 1_100;
/** One record of the spool: a message of 171 bytes in its frame. */
const RECORD_BYTES = 187;

export interface GatewayEnvironment {
  readonly time: SimulatedTime;
  readonly startAtMs: number;
  readonly broker: MemoryBroker;
  readonly oracle: Uint8Array;
  readonly verifier: Verifier;
  readonly witness: Witness;
  readonly random: Random;
}

/** Shared parts of one life of the process. */
interface Around {
  readonly clock: Clock;
  readonly readingClock: SimulatedTime['reading'];
  readonly log: Logger;
  readonly counters: { add: () => undefined };
  readonly random: Pick<SystemRandom, 'bytes' | 'fraction'>;
}
interface Parts {
  readonly meter: Meter;
  readonly spool: Spool;
  readonly acks: AckTracker;
  readonly tornBytes: number;
}

/**
 * One gateway with its disk. Wires the real domain and spool as the program does, on a disk whose power a test can cut.
 */
export class SimulatedGateway {
  readonly home: Home;
  /** The fate of its disk. */
  readonly fate: SectorFate;
  readonly disk: CrashDisk;
  readonly #deps: GatewayEnvironment;
  #isEnrolled = false;
  #life: { end: () => void; spool: Spool; acks: AckTracker } | null = null;

  constructor(home: Home, surroundings: GatewayEnvironment) {
    this.home = home;
    this.#deps = surroundings;
    this.fate = new SectorFate(surroundings.random);
    this.disk = new CrashDisk(this.fate);
  }

  get spool(): Spool | null {
    return this.#life?.spool ?? null;
  }
  /** Number of records without an ack; null while the gateway is down. */
  get depth(): number | null {
    const life = this.#life;
    if (!life) return null;
    const id = asMeterId(this.home.record.meterId);
    return life.spool.count(id, life.acks.acknowledged(id) + 1n, life.spool.highest(id));
  }

  /** Ends the process, with or without the power. */
  kill(): void {
    this.#life?.end();
    this.#life = null;
    this.disk.isOff = true;
    this.#deps.broker.endSessions('the gateway went away', this.home);
  }

  /** Runs the same command again. Rejects with the disk's `PowerCut` when the power fails meanwhile. */
  async start(): Promise<void> {
    const { witness, random } = this.#deps;
    const process = processTime(this.#deps.time);
    const [clock, readingClock] = [process.clock, this.#deps.time.reading];
    const around: Around = {
      ...{ clock, readingClock, log: quietLog, counters: { add: () => undefined } },
      random,
    };
    let committed = (_message: SignedMessage) => {};
    const { journal, opened, recovered, tornBytes } = await this.#recover(around, (message) => committed(message));
    const spool = this.#spoolOf(opened, journal);
    const acks = await this.#openAcks();
    const meter = new Meter({
      ...{ name: 'main', serial: '', profileName: 'simulated', journal, recovered },
      reader: this.#reader(clock),
      limits: { importLimitW: LIMIT_W, exportLimitW: LIMIT_W, stepWh: 2 },
      plan: { pollMs: POLL_MS, leadMs: 58_000 },
      ...{ readingClock, clock, logger: quietLog, counters: around.counters },
    });
    const { gateway, outbox, uplink } = this.#wire(around, { meter, spool, acks, tornBytes });
    committed = (message) => {
      if (message.kind !== Kind.enrolment) outbox.committed(message);
      uplink.poke();
    };
    this.#life = { end: process.end, spool, acks };
    gateway.run(uplink, outbox, new AbortController().signal).catch((error: Error) => {
      if (!this.disk.isOff) witness.faults.add(`the gateway ended: ${error.message}`);
    });
  }

  /** Opens the disk's content: spool, state and journal of the meter, which is enrolled when it never was. */
  async #recover({ clock, readingClock, counters }: Around, committed: (message: SignedMessage) => void) {
    const { home, disk } = this;
    const id = asMeterId(home.record.meterId);
    const saved = await disk.read(`/data/state/${id}.json`);
    const state = saved ? decodeState(Buffer.from(saved).toString('utf8')) : FRESH_STATE;
    const scan = new RecoveryScan({ floor: () => openFloor(state) });
    const { spool, damage } = await openSpool(disk, '/data/spool', clock, scan, SEGMENT_BYTES);
    const recovered = scan.result(id);
    const journal = new MeterJournal({ networkId: NETWORK, meterId: home.meterId }, state, recovered, {
      signer: this.#deps.witness.watched(home.meter, payloadOfSigStructure),
      ...{ spool, readingClock, counters, committed },
      gapMs: 3 * POLL_MS,
      store: (next) => disk.replace(`/data/state/${id}.json`, Buffer.from(encodeState(asReserved(next)))),
    });
    if (!recovered.enrolment) {
      if (this.#isEnrolled) throw new Error(`lost: the enrolment of ${id}, the first message of its key`);
      this.#isEnrolled = true;
      scan.visit(await journal.enrol((seq) => this.#enrolment(seq)));
    }
    return { journal, opened: spool, recovered: scan.result(id), tornBytes: damage.tornBytes };
  }

  /** Returns the gateway's spool; a control makes it drop messages that the broker answered. */
  #spoolOf(opened: Spool, journal: MeterJournal): Spool {
    if (rules.dropAfterAck) return thriftySpool(opened);
    return thriftySpool(opened, (meterId) => smaller(this.#answered(meterId), journal.statedThrough));
  }

  #answered(meterId: MeterId): bigint {
    return this.#deps.witness.answered.get(meterId) ?? 0n;
  }

  /** Opens the ack tracker; a control makes the broker's answers count as acks. */
  async #openAcks(): Promise<AckTracker> {
    const oracles = [oracleName(this.#deps.oracle)];
    const acks = rules.ack
      ? new AckTracker(oracles, 1)
      : new CredulousAckTracker(oracles, 1, (id) => this.#answered(id));
    const stored = await this.disk.read('/data/state/acks.json');
    if (stored) acks.restore(Buffer.from(stored).toString('utf8'));
    return acks;
  }

  /** Wires gateway, outbox and uplink as the program does. */
  #wire(around: Around, { meter, spool, acks, tornBytes }: Parts) {
    const { broker, oracle, verifier } = this.#deps;
    const { home, disk } = this;
    const { clock } = around;
    const id = asMeterId(home.record.meterId);
    const lags = new LagWatch(acks, [id], clock);
    const deadLetters = new DeadLetters({ journals: [meter], acks, spool, ...around });
    const gateway = new Gateway({
      ...around,
      ...{ meters: [meter], deadLetters, lags, oracles: 1, spool, spoolMaxBytes: 0, acks },
      onIgnoredAck: () => {},
      saveAcks: (text) => disk.replaceUnsynced('/data/state/acks.json', Buffer.from(text)),
      softwareHash: new Uint8Array(16),
      configHash: new Uint8Array(16),
      tornRecords: Math.ceil(tornBytes / RECORD_BYTES),
    });
    const outbox = new SendScheduler({
      ...{ spool, meters: [id] },
      acknowledged: (which) => acks.acknowledged(which),
      excluded: (which, seq) => deadLetters.excluded(which, seq),
      lag: (which) => lags.lag(which),
    });
    const uplink = new Uplink({
      ...around,
      ...{ gateway: home.gateway.publicKey, oracles: [oracle], verifier, outbox },
      openBroker: (task) =>
        new BrokerLink({
          ...{ ...task, ...around, clock: clock },
          ...{ url: 'mqtt://broker', broker: 'broker', signer: home.gateway },
          open: (_url, options) => broker.open(home, options),
        }),
      status: () => ({ version: '0' }),
      onAck: (name, ack) => gateway.onAck(name, ack),
      onOracleStatus: () => {},
      onDisconnected: () => {},
      onSubscribed: () => gateway.onSubscribed(),
    });
    return { gateway, outbox, uplink };
  }

  #enrolment(seq: bigint) {
    const { startAtMs } = this.#deps;
    const { home } = this;
    return {
      kind: Kind.enrolment,
      networkId: NETWORK,
      meterId: home.meterId,
      seq,
      owner: new Uint8Array(32).fill(90 + (home.record.slot ?? 0)),
      ...registersAt(startAtMs, startAtMs),
      zone: home.record.zone,
      source: Source.solar,
      role: Role.point,
      deviceSigned: false,
      keyEpoch: 0,
      window: windowOf(startAtMs),
    } as const;
  }

  #reader(clock: Clock): MeterReader {
    const { time, startAtMs } = this.#deps;
    return {
      // A bus takes its time; without that, a loop that polls at once would never let the clock move.
      read: async () => {
        await new Promise<void>((resolve) => clock.after(20, resolve));
        const timeMs = Math.floor(time.reading.nowMs());
        return {
          timeMs,
          steadyMs: time.reading.steadyMs(),
          uncertaintyMs: 10,
          ...{ resolutionWh: 1n, against: [] },
          ...registersAt(timeMs, startAtMs),
          powerW: -4_000,
          voltageDv: 2_300,
          frequencyChz: 5_000,
          raw: Uint8Array.of(1, 2, 3, 4),
        };
      },
    };
  }

  /** Checks that a cut left every message that was published and not acknowledged, byte for byte. */
  async judgeSpool(): Promise<void> {
    const { witness } = this.#deps;
    const id = asMeterId(this.home.record.meterId);
    const spool = this.#life?.spool;
    if (!spool) return;
    const kept = new Map((await spool.read(id, 1n, 1_000_000)).map(({ seq, bytes }) => [seq, toHex(bytes)]));
    // Recovery was cut as well: the next start is judged.
    if (this.disk.isOff) throw new PowerCut('the power went during the start');
    const through = witness.acknowledged.get(id) ?? 0n;
    for (const { seq, name, content } of witness.publishedOf(id)) {
      if (seq > through && kept.get(seq) !== content)
        witness.faults.add(`lost: ${name} went out, nobody acknowledged it, and the spool does not have it`);
    }
  }
}

/** Returns the state as it is stored; a control stores no reservation, so seqs come from memory alone. */
const asReserved = (next: MeterState): MeterState => (rules.seqReservation ? next : { ...next, reservedThrough: 0n });
const smaller = (a: bigint, b: bigint) => [a, b].reduce((least, one) => (one < least ? one : least));
