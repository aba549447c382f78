import {
  asWindow,
  EventCode,
  GapReason,
  type MeterId,
  Quality,
  windowEndAtMs,
  windowOf,
  windowStartAtMs,
} from '@gridtokenx/protocol';
import { KeyJournal, type Signed, sign } from '@gridtokenx/testing-kit/key-log';
import type { Random } from '@gridtokenx/testing-kit/random';
import { type Home, NETWORK, readingTimeOf, signerOf, WINDOW_REAL_MS } from './world.js';

/** Means of the odd home: its key, its gateway's name, and time. */
export interface Scene {
  readonly random: Random;
  readonly home: Home;
  readonly neighbours: readonly Home[];
  readonly log: KeyJournal;
  /** Real time now, and at the end. */
  readonly nowMs: () => number;
  readonly endAtMs: number;
  /** Publishes under its own gateway's name, in packets of at most 200. */
  readonly send: (messages: readonly Signed[]) => void;
  readonly sendRaw: (bytes: Uint8Array, meter: MeterId) => void;
  /** Calls back later, real ms. */
  readonly later: (ms: number, call: () => void) => void;
}

type Trick = (scene: Scene) => void;

/** Returns the present time of the reading clock. */
const here = (scene: Scene) => readingTimeOf(scene.nowMs());
const windowNow = (scene: Scene) => windowOf(here(scene));

function toNow({ log, ...scene }: Scene): void {
  log.state.timeMs = Math.max(log.state.timeMs, Math.floor(readingTimeOf(scene.nowMs())));
}

/** Signs readings as fast as possible, with unchanged registers. */
function burst(scene: Scene, count: number): Signed[] {
  toNow(scene);
  return Array.from({ length: count }, () => scene.log.reading());
}

/** Signs one reading and the statement of each of the last windows, with a small rise. */
function backlog(scene: Scene, windows: number): Signed[] {
  const { log, random } = scene;
  const last = windowNow(scene) - 1;
  const messages: Signed[] = [];
  for (let window = Math.max(last - windows + 1, windowOf(log.state.timeMs)); window <= last; window++) {
    log.state.timeMs = Math.max(log.state.timeMs, windowEndAtMs(asWindow(window)) - 20_000);
    log.state.exportWh += BigInt(random.int(0, 300));
    messages.push(log.reading(), log.statement(window));
  }
  return messages;
}

/** Returns a copy of this log's key in use: its messages contradict the log's. */
function twin({ log, home }: Scene, seq: bigint): KeyJournal {
  const other = new KeyJournal(home.record, home.signer, NETWORK, { ...log.state });
  other.seq = seq;
  return other;
}

const TIMES = [2n ** 63n - 1n, -(2n ** 63n), -1n, 2n ** 53n, 8_640_000_000_000_001n];

/** Everything that a key permits its home, trick by trick. */
export const TRICKS: Readonly<Record<string, Trick>> = {
  'back after a while': (scene) => scene.send(backlog(scene, scene.random.int(2, 250))),
  'backlog upside down': (scene) => scene.send(backlog(scene, scene.random.int(2, 100)).reverse()),
  'backlog in any order': (scene) => scene.send(scene.random.shuffled(backlog(scene, scene.random.int(2, 100)))),
  'backlog in drops': (scene) => {
    const messages = backlog(scene, scene.random.int(20, 60));
    for (const [i, message] of messages.entries()) scene.later(i * 120, () => scene.send([message]));
  },
  'always a little behind': (scene) => {
    const step = () => {
      scene.send(backlog(scene, 7));
      if (scene.nowMs() < scene.endAtMs) scene.later(WINDOW_REAL_MS * scene.random.int(2, 6), step);
    };
    step();
  },
  'dated ahead': (scene) => {
    const { log, random } = scene;
    const ahead = random.int(100_000, 80_000_000);
    const first = log.reading({ timeMs: BigInt(Math.floor(here(scene)) + ahead) });
    scene.send([first, ...burst(scene, random.int(100, 500))]);
  },
  'each due a little later': (scene) => {
    const start = Math.floor(here(scene)) + 100_000;
    const messages = Array.from({ length: 90 }, (_, i) =>
      scene.log.reading({ timeMs: BigInt(start + (90 - i) * 60_000) }),
    );
    scene.send([...messages, ...burst(scene, 250)]);
  },
  'readings without end': (scene) => {
    const step = (left: number) => {
      scene.send(burst(scene, 200));
      if (left > 1) scene.later(50, () => step(left - 1));
    };
    step(scene.random.chance(0.15) ? scene.random.int(45, 50) : scene.random.int(2, 5));
  },
  'one packet again and again': (scene) => {
    const messages = burst(scene, 50);
    for (let i = 0; i < 12; i++) scene.later(i * 40, () => scene.send(messages));
  },
  'holes filled from above': (scene) => {
    const messages = burst(scene, 240);
    scene.send(messages.filter((_, i) => i % 8 !== 0));
    const late = messages.filter((_, i) => i % 8 === 0).reverse();
    for (const [i, message] of late.entries()) scene.later(100 + i * 30, () => scene.send([message]));
  },
  'two contents for one seq, downwards': (scene) => {
    scene.send(burst(scene, 300));
    const { seq } = scene.log;
    for (let i = 1n; i <= 20n; i++) {
      const at = seq - i * 12n;
      if (at > 1n) scene.later(Number(i) * 60, () => scene.send([twin(scene, at).reading({ powerW: 7 })]));
    }
  },
  'two statements for one window': (scene) => {
    const window = windowNow(scene) - 1;
    const other = twin(scene, scene.log.seq + 5n);
    scene.send([scene.log.statement(window), other.statement(window, { readingCount: 3 })]);
  },
  'windows that are none': (scene) => {
    const { log } = scene;
    const { timeMs } = log.state;
    const now = windowNow(scene);
    const windows = [0xffff_ffff, now + 200, now + 1, now, 0, now - 1, now - 2];
    scene.send(windows.map((window) => log.statement(window)));
    log.state.timeMs = timeMs;
  },
  'statements only': (scene) => {
    const now = windowNow(scene);
    const { timeMs } = scene.log.state;
    scene.send(Array.from({ length: 150 }, (_, i) => scene.log.statement(now + 100 + i)));
    scene.log.state.timeMs = timeMs;
  },
  'times that are none': (scene) => {
    const { log } = scene;
    scene.send(TIMES.map((timeMs) => log.reading({ timeMs, timeUncertaintyMs: null })));
    scene.send(TIMES.map((timeMs) => log.event(EventCode.clockStepped, { timeMs, quality: Quality.unsynchronised })));
  },
  'a row that the store does not take': (scene) => scene.send([scene.log.reading({ powerW: POISON_W })]),
  'registers that leap': (scene) => {
    const { log } = scene;
    const top = 2n ** 64n - 1n;
    scene.send([
      log.reading({ exportWh: top }),
      log.reading({ exportWh: top, importWh: top, quality: Quality.discontinuity }),
      log.statement(windowNow(scene) - 1, { exportWh: top, importWh: top, quality: Quality.discontinuity }),
      log.reading({ exportWh: 0n }),
    ]);
  },
  'over the cap': (scene) => {
    const { log } = scene;
    toNow(scene);
    log.state.exportWh += 2_600n;
    scene.send([log.reading(), log.statement(windowNow(scene) - 1)]);
  },
  'gaps of everything': (scene) => {
    const { log, random } = scene;
    const messages: Signed[] = [];
    for (let i = 0; i < 100; i++) {
      const first = BigInt(random.int(1, Number(log.seq)));
      messages.push(log.gap(random.chance(0.1) ? 1n : first, random.int(1, 2 ** 31), GapReason.thinned), log.reading());
      log.seq += BigInt(random.int(0, 3));
    }
    scene.send(messages);
  },
  'in the name of others': (scene) => {
    const stranger = signerOf(99);
    for (const { record } of scene.neighbours) {
      const other = new KeyJournal(record, stranger, NETWORK, { ...scene.log.state });
      const forged = Array.from({ length: 30 }, () => sign(other.reading().payload, stranger));
      for (const { message } of forged) scene.sendRaw(message, record.meterId);
    }
  },
  'no messages at all': (scene) => {
    const { random, home } = scene;
    for (let i = 0; i < 60; i++) scene.sendRaw(random.bytes(random.int(0, 400)), home.record.meterId);
  },
  'before everything': (scene) => {
    const early = windowStartAtMs(asWindow(scene.home.record.enrolmentWindow - 500));
    scene.send(Array.from({ length: 200 }, (_, i) => scene.log.reading({ timeMs: BigInt(early + i) })));
  },
};

/** A power that the campaign's time series refuses: stands for any row that a store rejects. */
export const POISON_W = 1_234_567;
