import { Quality, type RegisterPair } from '@gridtokenx/protocol';
import type { Mutex } from '@gridtokenx/runtime/core';
import { plus } from '../metering/registers.js';
import type { SignedChain } from './chain.js';
import { type BreakReason, DiscontinuityReason, registersEvent } from './discontinuity.js';
import { MAX_ACCEPTED } from './meter-state.js';
import type { WindowTracker } from './windows.js';

/** The parts of a meter's journal that this journal shares. */
export interface JournalParts {
  readonly chain: SignedChain;
  readonly windows: WindowTracker;
  readonly serial: Mutex;
}

/**
 * Records durably how a meter's registers stand: doubts, discontinuities, and what a person accepted [gateway §7.4].
 * Each method stores the state before it signs event 5. Each rejects with the disk's error.
 */
export class RegisterJournal {
  readonly #parts: JournalParts;

  constructor(parts: JournalParts) {
    this.#parts = parts;
  }

  get inDiscontinuity(): boolean {
    return this.#parts.chain.state.discontinuity !== null;
  }

  get inDoubt(): boolean {
    return this.#parts.chain.state.doubt !== null;
  }

  /** Returns true for the newest reason: a crash after the write and before the answer leaves a request that is done. */
  hasAccepted(reason: string): boolean {
    return this.#parts.chain.state.accepted.at(-1)?.reason === reason;
  }

  /** Begins a doubt: from now on no statement is signed. */
  doubt(reason: DiscontinuityReason, lastGood: RegisterPair, raw: RegisterPair): Promise<void> {
    return this.#record({ doubt: reason }, reason, lastGood, raw);
  }

  /** Ends a doubt, or a discontinuity: the registers go on from the last good ones. */
  over(lastGood: RegisterPair, raw: RegisterPair): Promise<void> {
    return this.#record(GOES_ON, DiscontinuityReason.over, lastGood, raw);
  }

  /** Begins a discontinuity: open windows get no statement, readings get quality bit 3. */
  break(reason: BreakReason, lastGood: RegisterPair, raw: RegisterPair): Promise<void> {
    const change = { doubt: null, discontinuity: pairOf(lastGood), discontinuityReason: reason };
    return this.#record(change, reason, lastGood, raw, () => {
      const { windows } = this.#parts;
      windows.dropThrough(windows.closedThrough);
    });
  }

  /**
   * Counts on from `signed` while the meter shows `raw`, because a person says so. `change`: added to the offsets, Wh.
   * `serial`: the serial number of the meter that answers; null where none is known.
   */
  accept(
    { change, raw, signed }: Readonly<Record<'change' | 'raw' | 'signed', RegisterPair>>,
    { timeMs, reason, serial }: { timeMs: number; reason: string; serial: string | null },
  ): Promise<void> {
    const { offsets, accepted, serial: known } = this.#parts.chain.state;
    const next = {
      ...GOES_ON,
      offsets: plus(offsets, change),
      accepted: [...accepted, { timeMs, reason, raw: pairOf(raw), signed: pairOf(signed) }].slice(-MAX_ACCEPTED),
      serial: serial ?? known,
    };
    return this.#record(next, DiscontinuityReason.accepted, signed, raw);
  }

  /** Takes the newest acceptance back: the meter shows again the registers from before it. */
  takeBack(offsets: RegisterPair, lastGood: RegisterPair, raw: RegisterPair): Promise<void> {
    const { accepted } = this.#parts.chain.state;
    const change = { ...GOES_ON, offsets: pairOf(offsets), accepted: accepted.slice(0, -1) };
    return this.#record(change, DiscontinuityReason.over, lastGood, raw);
  }

  /** Marks the windows on both sides of a time in which nothing was believed. */
  mark(): void {
    const { windows } = this.#parts;
    windows.mark(Quality.gap);
    windows.markNext(Quality.gap);
  }

  #record(
    change: Parameters<SignedChain['store']>[0],
    reason: DiscontinuityReason,
    lastGood: RegisterPair,
    raw: RegisterPair,
    stored: () => void = () => {},
  ): Promise<void> {
    const { chain, serial } = this.#parts;
    return serial.run(async () => {
      await chain.store(change);
      stored();
      this.mark();
      await chain.event(...registersEvent(reason, lastGood, raw));
    });
  }
}

const GOES_ON = { doubt: null, discontinuity: null, discontinuityReason: null };

const pairOf = ({ importWh, exportWh }: RegisterPair): RegisterPair => ({ importWh, exportWh });
