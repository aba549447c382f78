import { asMeterId, asPublicKeyText } from '@gridtokenx/protocol';
import { diskSpace } from '@gridtokenx/runtime/node';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { openSpool } from '#edge/adapters/spool/spool.js';
import { AckTracker } from '#edge/domain/delivery/ack-tracker.js';
import { AckWatch } from '#edge/domain/delivery/ack-watch.js';
import { DeadLetters } from '#edge/domain/delivery/dead-letters.js';
import { LagWatch } from '#edge/domain/delivery/lag-watch.js';
import type { SendScheduler } from '#edge/domain/delivery/send-scheduler.js';
import type { Uplink } from '#edge/domain/delivery/uplink.js';
import { Gateway, type Metered } from '#edge/domain/gateway.js';
import { SeqRuns } from '#edge/domain/seq-runs.js';
import { type GatewayCondition, gatewayHealth } from '#edge/wiring/health.js';
import { SEGMENT_BYTES } from '#edge/wiring/sizes.js';
import { everLater, type Stage, type Staged } from './stage.js';

const METER = asMeterId('00112233445566778899aabbccddeeff');
const ORACLE = asPublicKeyText(new Uint8Array(32));

/** A real gateway with one meter that answers as a stage demands, on a disk and a clock that a stage spoils. */
class Parts {
  readonly time = new VirtualClock();
  readonly disk = new CrashDisk();
  readonly acks = new AckTracker([ORACLE], 1);
  readonly stop = new AbortController();
  readonly frames: { problem: string | null } = { problem: null };
  meterProblems: string[] = [];
  enrolled = true;
  startFailure: string | null = null;
  uplinkProblem: string | null = null;
  cloneProblem: string | null = null;
  buses: string[] = [];
  certificate: string | null = null;
  free = 1e12;
  /** Records that no oracle has acknowledged. */
  waiting = 0;
  gateway!: Gateway;
  report!: Staged['report'];
  #running: Promise<unknown> = Promise.resolve();

  async start(): Promise<void> {
    const { time, disk, acks } = this;
    const { spool } = await openSpool(disk, '/spool', time, () => {}, SEGMENT_BYTES);
    const parts = this;
    const journal = {
      ...{ state: { discarded: [] }, nextSeq: 1n, runFirstSeq: 1n, statedThrough: 0n },
      start: async () => {
        if (parts.startFailure) throw new Error(parts.startFailure);
      },
      continueAfterRestore: async () => false,
      declareGone: async () => {},
      event: async () => {},
    };
    const meter = {
      ...{
        id: METER,
        name: 'house',
        journal,
        recovered: { declared: new SeqRuns(), refused: new SeqRuns() },
        view: () => ({}),
        run: async () => {},
      },
      get enrolled() {
        return parts.enrolled;
      },
      problems: () => (parts.enrolled ? parts.meterProblems : ['meter house is not enrolled: run "enrol"']),
    } as unknown as Metered;
    const random = { bytes: (n: number) => new Uint8Array(n), fraction: () => 0.5 };
    const around = { acks, spool, clock: time, random, log: quietLog, counters: { add() {} } };
    this.gateway = new Gateway({
      ...around,
      deadLetters: new DeadLetters({ journals: [meter], ...around }),
      lags: new LagWatch(acks, [METER], time),
      onIgnoredAck: () => {},
      ...{ meters: [meter], oracles: 1, spool, spoolMaxBytes: 1e9, acks, readingClock: time.reading, clock: time },
      saveAcks: async (text) => disk.replace('/acks', Buffer.from(text)),
      ...{ softwareHash: new Uint8Array(16), configHash: new Uint8Array(16), tornRecords: 0 },
    });
    const uplink = {
      get problem() {
        return parts.uplinkProblem;
      },
      get cloneProblem() {
        return parts.cloneProblem;
      },
      ...{ run: async () => {}, release() {}, poke() {}, online: true, strangers: [], sentThrough: () => 0n },
    } as unknown as Uplink;
    const ackWatch = new AckWatch({
      ...{ acks, spool: { count: () => this.waiting, highest: () => 9n }, clock: time },
      presence: { problems: () => [], explainsSilence: false },
      meters: () => [meter],
    });
    const health = gatewayHealth({
      ...{
        oracles: () => ackWatch.problems(),
        gateway: this.gateway,
        buses: () => this.buses,
        certificate: () => this.certificate,
        frames: this.frames,
      },
      diskSpace: diskSpace('/data', everLater(), () => this.free),
      now: () => time.nowMs(),
    });
    this.report = () => health.report();
    this.spool = spool;
    const outbox = { fallenBack() {} } as unknown as SendScheduler;
    const { signal } = this.stop;
    this.#running = Promise.all([this.gateway.run(uplink, outbox, signal), ackWatch.run(uplink, signal)]);
  }
  spool!: Awaited<ReturnType<typeof openSpool>>['spool'];

  /** Publishes the newest ack of an oracle that has seen the meter up to a seq. */
  ack(highestSeen: bigint): void {
    const mark = { storedThrough: 0n, highestSeen, highestWindow: 0 };
    const ack = {
      timeMs: 1,
      gateway: new Uint8Array(32),
      ledgerId: new Uint8Array(16),
      meters: new Map([[METER, mark]]),
      refused: [],
    };
    this.gateway.onAck(ORACLE, ack as never);
  }

  async end(): Promise<void> {
    this.disk.failing = null;
    this.startFailure = null;
    this.stop.abort();
    await this.time.advance(60_000);
    await this.#running;
  }
}

function stage(words: RegExp, spoil: (parts: Parts) => void | Promise<void>, also: readonly string[] = []): Stage {
  return async () => {
    const parts = new Parts();
    await parts.start();
    await parts.time.advance(5_000);
    return { report: parts.report, words, also, spoil: () => spoil(parts), end: () => parts.end() };
  };
}

/** Works like `stage`, but spoils the gateway before it has started. */
function stageFromStart(words: RegExp, spoil: (parts: Parts) => void): Stage {
  return async () => {
    const parts = new Parts();
    await parts.start();
    return {
      ...{ report: parts.report, words, end: () => parts.end() },
      async spoil() {
        spoil(parts);
        await parts.time.advance(10_000);
      },
    };
  };
}

export const gatewayStages: Readonly<Record<GatewayCondition, Stage>> = {
  enrolment: stage(/is not enrolled/, (parts) => {
    parts.enrolled = false;
  }),
  meters: stage(/no answer/, (parts) => void parts.meterProblems.push('meter house: no answer')),
  'restored image': stage(/far above ours/, async (parts) => {
    parts.ack(1n << 40n);
    await parts.time.advance(5_000);
  }),
  'background work': stageFromStart(/meter house cannot start: EIO/, (parts) => {
    parts.startFailure = 'EIO';
  }),
  spool: stage(/disk/, async (parts) => {
    parts.disk.failing = 'ENOSPC';
    void parts.spool.append([
      { meterId: METER, kind: 3, seq: 1n, payload: new Uint8Array(96), bytes: new Uint8Array(171) },
    ]);
    await parts.time.advance(500);
  }),
  'broker connection': stage(/refused/, (parts) => {
    parts.uplinkProblem = 'the broker refused the key';
  }),
  oracles: stage(/no oracle acknowledged anything for 1\d min while connected/, async (parts) => {
    parts.waiting = 1;
    await parts.time.advance(660_000);
  }),
  'another gateway': stage(/another gateway with this key is online/, (parts) => {
    parts.cloneProblem = 'another gateway with this key is online';
  }),
  clock: stage(/not synchronised/, (parts) => {
    parts.time.reading.uncertainty = null;
  }),
  'clock step': stage(/the time was corrected back by 7200 s/, async (parts) => {
    parts.time.reading.stepMs = -7_200_000;
    await parts.time.advance(5_000);
  }),
  buses: stage(/a second master/, (parts) => void parts.buses.push('bus cellar: a second master')),
  certificate: stage(/has expired/, (parts) => {
    parts.certificate = 'cert.pem has expired';
  }),
  'raw frames': stage(/ENOSPC/, (parts) => {
    parts.frames.problem = 'raw frames: ENOSPC';
  }),
  'disk space': stage(/0 MiB are free/, (parts) => {
    parts.free = 1;
  }),
};
