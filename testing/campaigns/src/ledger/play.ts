import { asWindow, EventCode, GapReason, Quality, windowEndAtMs, windowStartAtMs } from '@gridtokenx/protocol';
import { KeyJournal, type MeterState } from '@gridtokenx/testing-kit/key-log';
import { Random } from '@gridtokenx/testing-kit/random';
import type { MeterRecord } from '#oracle/domain/ports.js';
import { OUTSIDE, READING_TRICKS, type Scene, STATEMENT_TRICKS } from './hostile.js';
import {
  type Fact,
  gatewayKey,
  INITIAL_WINDOW,
  type Item,
  itemOf,
  type Meter,
  makeMeters,
  NETWORK,
  type Shape,
  shapeOf,
  signerOf,
  streamName,
  type Truth,
  type WindowTruth,
  type World,
} from './world.js';

/** Keys of rotations, beside those of the meters. */
const NEW_KEYS = 500;

/** One active key of a meter. */
interface Hand {
  readonly meter: Meter;
  readonly log: KeyJournal;
  readonly said: Item[];
  readonly fact: number | null;
  readonly windows: WindowTruth[];
}

/** All messages of one seed. */
class Play {
  readonly random: Random;
  readonly shape: Shape;
  readonly meters: Meter[];
  readonly facts: Fact[] = [];
  readonly enrolledBy = new Map<number, number>();
  readonly items: Item[] = [];
  readonly truths: Truth[] = [];
  readonly records = new Map<string, MeterRecord>();
  readonly finalAtMs: number;

  constructor(seed: number) {
    this.random = new Random(seed, 'play');
    this.shape = shapeOf(seed);
    this.finalAtMs = windowEndAtMs(asWindow(INITIAL_WINDOW + this.shape.windows - 1)) + this.random.int(1_000, 600_000);
    this.meters = makeMeters(this.shape, this.random);
    for (const { index, record, isKnown } of this.meters) {
      this.records.set(record.meterId, record);
      if (isKnown) continue;
      this.enrolledBy.set(index, this.facts.length);
      this.facts.push({ meter: index, record });
    }
  }

  #hand(meter: Meter, record: MeterRecord, key: number | null, state: MeterState, fact: number | null): Hand {
    const signer = key === null ? meter.signer : signerOf(key);
    const hand: Hand = { meter, log: new KeyJournal(record, signer, NETWORK, state), said: [], fact, windows: [] };
    this.#say(hand, hand.log.enrolment(meter.owner));
    return hand;
  }

  #say(hand: Hand, signed: ReturnType<KeyJournal['reading']>): void {
    const allowed = hand.meter.isHonest ? [0, 17] : null;
    this.#add(hand, itemOf(hand.meter, hand.log, signed, 'honest', allowed, hand.fact));
  }

  #add(hand: Hand, item: Item): void {
    this.items.push(item);
    if (item.signed && item.gateway === hand.meter.gateway) hand.said.push(item);
  }

  playMeter(meter: Meter): void {
    const { record } = meter;
    const state: MeterState = {
      timeMs: windowStartAtMs(asWindow(record.enrolmentWindow)),
      importWh: record.importBaselineWh,
      exportWh: record.exportBaselineWh,
    };
    let hand = this.#hand(meter, record, null, state, null);
    const last = INITIAL_WINDOW + this.shape.windows - 1;
    for (let window = record.enrolmentWindow; window <= last; window++) {
      if (window === meter.rotatesAt) hand = this.#rotate(hand, window, state);
      this.#playWindow(hand, window);
    }
    this.#close(hand);
  }

  /** The utility approves another key. A dishonest meter's old key may continue after its last window. */
  #rotate(old: Hand, window: number, state: MeterState): Hand {
    const { meter } = old;
    this.#close(old);
    const record: MeterRecord = {
      ...meter.record,
      key: signerOf(NEW_KEYS + meter.index).publicKey,
      previousKey: meter.signer.publicKey,
      previousKeyLastWindow: asWindow(meter.isHonest ? window : window - this.random.int(1, 2)),
      keyEpoch: meter.record.keyEpoch + 1,
    };
    this.records.set(record.meterId, record);
    this.facts.push({ meter: meter.index, record });
    const hand = this.#hand(meter, record, NEW_KEYS + meter.index, state, this.facts.length - 1);
    // Both keys state the last window of the old key.
    if (!meter.isHonest && this.random.chance(0.5)) this.#say(hand, hand.log.statement(window - 1));
    return hand;
  }

  #close({ meter, log, windows }: Hand): void {
    if (!meter.isHonest) return;
    const stream = streamName(log.record.meterId, log.signer.publicKey);
    this.truths.push({ meter: meter.index, stream, lastSeq: log.seq, windows });
  }

  #playWindow(hand: Hand, window: number): void {
    const { random, shape } = this;
    const { state } = hand.log;
    const start = windowStartAtMs(asWindow(window));
    const step = 900_000 / shape.readings;
    let quality = 0;
    for (let i = 1; i <= shape.readings; i++) {
      const timeMs = start + Math.floor(step * i) - random.int(1_000, 55_000);
      this.#letRise(state, Math.max(timeMs, state.timeMs));
      quality |= this.#readOnce(hand);
      this.#maybe(hand, window, shape.hostile / 2, OUTSIDE);
      if (!hand.meter.isHonest) this.#maybe(hand, window, shape.hostile, READING_TRICKS);
    }
    if (!hand.meter.isHonest && this.#maybe(hand, window, shape.hostile * 2, STATEMENT_TRICKS)) return;
    const isStale = random.chance(0.02);
    this.#say(hand, hand.log.statement(window, isStale ? { quality: hand.log.quality | Quality.stale } : {}));
    const { importWh, exportWh } = state;
    if (!isStale && quality === 0) hand.windows.push({ window, importWh, exportWh });
    if (random.chance(0.05)) this.#stumble(hand);
  }

  #letRise(state: MeterState, timeMs: number): void {
    const most = Math.floor((9_000 * (timeMs - state.timeMs)) / 3_600_000);
    state.timeMs = timeMs;
    if (this.random.chance(0.7)) state.exportWh += BigInt(this.random.int(0, most));
    else state.importWh += BigInt(this.random.int(0, most));
  }

  /** Takes one honest reading; returns the quality bits that exclude its window from attestation. */
  #readOnce(hand: Hand): number {
    const { random } = this;
    if (random.chance(0.02)) {
      const quality = Quality.unsynchronised | Quality.gatewaySigned;
      this.#say(hand, hand.log.reading({ timeUncertaintyMs: null, quality }));
      return Quality.unsynchronised;
    }
    if (random.chance(0.02)) {
      const quality = Quality.discontinuity | Quality.gatewaySigned;
      this.#say(hand, hand.log.reading({ quality, exportWh: BigInt(random.int(0, 500)) }));
      return Quality.discontinuity;
    }
    this.#say(hand, hand.log.reading());
    // No draw decides this, so the other messages of a seed stay what they were.
    if (hand.log.seq % 4n === 0n) this.#say(hand, hand.log.moreValues());
    return 0;
  }

  /** Troubles an honest gateway: a kill, a restored older image, a damaged record, a thinned backlog. */
  #stumble(hand: Hand): void {
    const { log } = hand;
    const { random } = this;
    const count = random.int(1, 4);
    switch (random.int(0, 3)) {
      case 0: {
        const first = log.seq + 1n;
        log.seq += BigInt(count);
        this.#say(hand, log.event(EventCode.started, { value: first - 1n }));
        this.#say(hand, log.gap(first, count, GapReason.unused));
        break;
      }
      case 1: {
        const first = log.seq + 1n;
        log.seq += BigInt(count);
        this.#say(hand, log.event(EventCode.continuedAfterRestore, { value: first + BigInt(count) }));
        this.#say(hand, log.gap(first, count, GapReason.restored));
        break;
      }
      case 2: {
        // Thinned, and the readings arrive after all: a declared gap never cancels a message that arrives.
        const first = log.seq + 1n;
        const isGone = random.chance(0.5);
        if (isGone) log.seq += BigInt(count);
        else for (let i = 0; i < count; i++) this.#say(hand, log.event(EventCode.configurationChanged));
        this.#say(hand, log.gap(first, count, random.pick([GapReason.thinned, GapReason.damaged, GapReason.refused])));
        break;
      }
      default:
        this.#say(hand, log.event(EventCode.clockSourceChanged, { value: 50n }));
    }
  }

  #maybe(hand: Hand, window: number, chance: number, tricks: Readonly<Record<string, (scene: Scene) => Item[]>>) {
    if (!this.random.chance(chance)) return false;
    const { meter, log, said, fact } = hand;
    const { random, meters, finalAtMs, enrolledBy } = this;
    const trick = tricks[random.pick(Object.keys(tricks))];
    const items = trick?.({ random, meter, meters, log, window, finalAtMs, fact, said, enrolledBy }) ?? [];
    for (const item of items) this.#add(hand, item);
    return items.length > 0;
  }
}

/** Builds the messages of all parties of one seed, and the required result of the honest ones. */
export function makeWorld(seed: number): World {
  const play = new Play(seed);
  for (const meter of play.meters) play.playMeter(meter);
  const { shape, meters, facts, truths, records, finalAtMs, random } = play;
  const isHonest = (item: Item) => meters[item.meter]?.isHonest ?? false;
  // Lost for good: only messages whose loss leaves no promise broken.
  const items = play.items.filter((item) => isHonest(item) || item.allowed !== null || !random.chance(0.02));
  const gateways = Array.from({ length: shape.gateways }, (_, index) => gatewayKey(index));
  return { seed, shape, gateways, meters, facts, items, truths, registry: records, finalAtMs };
}
