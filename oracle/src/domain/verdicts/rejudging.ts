import { asWindow, Kind, type MeterId, Role, type Window } from '@gridtokenx/protocol';
import type { MeterRecord, Registry } from '../ports.js';
import { type Budget, type Effects, noteInput, type Present, total } from './effects.js';
import {
  type DerivedPoints,
  type Incoming,
  MAX_DIRTY,
  MAX_PLACES,
  type StoredStream,
  type StreamStore,
} from './ports.js';
import { termsOf } from './rotation.js';
import type { Streams } from './streams.js';

/**
 * Selects the stored messages that are judged again. They waited for time or for the registry, or a rotation or the
 * meters of a point concern them. Judges a bounded number in one commit and marks the rest in their streams. All
 * methods run inside a transaction.
 */
export class Rejudging {
  readonly #store: StreamStore;
  readonly #streams: Streams;
  readonly #points: DerivedPoints;
  readonly #registry: Registry;
  /** Registry state up to which rotations and waiting messages are processed. */
  #registrySeen = '';
  /** Stream that was judged again last; the next streams follow it. */
  #sweptLast = -1;

  constructor(store: StreamStore, streams: Streams, points: DerivedPoints, registry: Registry) {
    this.#store = store;
    this.#streams = streams;
    this.#points = points;
    this.#registry = registry;
  }

  /**
   * Marks messages whose verdict time or the registry may change now, and judges marked messages within the budget.
   * Returns the gateways to acknowledge to, and a callback to run after the commit.
   */
  reconsider(nowMs: number, effects: Effects, budget: Budget): { gateways: Uint8Array[]; committed: () => void } {
    const { chainSlot, fetchedAtMs } = this.#registry.asOf;
    const state = `${chainSlot}/${fetchedAtMs}`;
    let isRegistryDone = true;
    if (state !== this.#registrySeen) {
      for (const stream of this.#rotated()) this.#streams.mark(stream, 1n, null);
      isRegistryDone = this.#markPlaces(this.#store.forRegistry(fetchedAtMs));
    }
    this.#markPlaces(this.#store.due(nowMs));
    const gateways = this.#sweepDirty(nowMs, effects, budget);
    const committed = () => {
      if (isRegistryDone) this.#registrySeen = state;
    };
    return { gateways, committed };
  }

  /** Marks waiting messages to be judged again; returns false when there may be more. */
  #markPlaces(places: readonly { stream: number; first: bigint; last: bigint }[]): boolean {
    for (const { stream: id, first, last } of places) {
      const stream = this.#store.streamById(id);
      if (stream && this.#registry.meter(stream.meter)) this.#streams.mark(stream, first, last);
    }
    return places.length < MAX_PLACES;
  }

  /** Judges marked messages, stream after stream in turn, within the budget. Returns the gateways to acknowledge to. */
  #sweepDirty(nowMs: number, effects: Effects, budget: Budget): Uint8Array[] {
    const gateways: Uint8Array[] = [];
    const ids = [...this.#store.dirty(this.#sweptLast), ...this.#store.dirty(-1)];
    const share = Math.max(1, Math.floor(budget.left / Math.max(1, Math.min(ids.length, MAX_DIRTY))));
    for (const id of new Set(ids)) {
      if (budget.left <= 0) break;
      const stream = this.#store.streamById(id);
      const meter = stream && this.#registry.meter(stream.meter);
      this.#sweptLast = id;
      if (!stream || !meter) continue;
      const own: Budget = { left: Math.min(share, budget.left) };
      const given = own.left;
      const isChanged = this.#sweep(stream, meter, nowMs, effects, own);
      budget.left -= given - Math.max(0, own.left);
      if (!isChanged) continue;
      if (meter.role !== Role.point) noteInput(effects.inputs, meter.meterId, null);
      gateways.push(...this.#store.gatewaysOf(stream.meter));
    }
    return gateways;
  }

  /** Judges the marked part of a stream; returns true when a verdict changed. */
  #sweep(stream: StoredStream, meter: MeterRecord, nowMs: number, effects: Effects, budget: Budget): boolean {
    const present: Present = { nowMs, registryFetchedAtMs: this.#registry.asOf.fetchedAtMs };
    const before = total(effects.verdicts);
    this.#streams.sweep(stream, meter, present, effects, budget);
    return total(effects.verdicts) !== before;
  }

  /** Yields streams of rotated keys that were judged before the oracle knew the rotation. */
  *#rotated(): Generator<StoredStream> {
    for (const meter of this.#registry.meters()) {
      const stream = meter.previousKey && this.#store.findStream(meter.meterId, meter.previousKey);
      if (stream && stream.lastWindow !== termsOf(meter, stream.key)?.lastWindow) yield stream;
    }
  }

  /** Notes inputs of points: a late or a declared message, and every statement, may decide what waits for the meter. */
  noteInputs(incoming: readonly Incoming[], effects: Effects): void {
    const admitted = incoming[0]?.admitted;
    if (!admitted || admitted.meter.role === Role.point) return;
    const { meter, key } = admitted;
    const payloads = incoming.map((one) => one.admitted.payload);
    const stored = this.#store.findStream(meter.meterId, key)?.storedThrough ?? 0n;
    const seqs = new Set(payloads.map(({ seq }) => seq));
    const lowest = [...seqs].reduce((least, seq) => (seq < least ? seq : least), stored + 1n);
    // Readings above all others change nothing for a point. A reading that fills a hole completes the statements above
    // it.
    const isOnTop = stored - lowest < BigInt(seqs.size);
    const isPlain = isOnTop && payloads.every(({ kind }) => kind === Kind.reading || kind === Kind.moreValues);
    if (!isPlain) noteInput(effects.inputs, meter.meterId, null);
  }

  /**
   * Judges again the statements of derived points that the changes may decide; `fresh`: newly known points. Returns the
   * gateways to acknowledge to.
   */
  followInputs(fresh: readonly MeterId[], nowMs: number, effects: Effects, budget: Budget): Uint8Array[] {
    const from = new Map<MeterId, Window | null>(fresh.map((point) => [point, asWindow(0)]));
    for (const [meter, window] of effects.inputs)
      for (const point of this.#points.pointsOf(meter)) noteInput(from, point, window);
    const gateways: Uint8Array[] = [];
    for (const [point, window] of from) {
      const meter = this.#registry.meter(point);
      if (!meter) continue;
      for (const key of meter.previousKey ? [meter.key, meter.previousKey] : [meter.key]) {
        const stream = this.#store.findStream(point, key);
        const seq = stream ? this.#points.affectedFrom(stream, window) : null;
        if (!stream || seq === null) continue;
        this.#streams.mark(stream, seq, null);
        if (this.#sweep(stream, meter, nowMs, effects, budget)) gateways.push(...this.#store.gatewaysOf(point));
      }
    }
    return gateways;
  }
}
