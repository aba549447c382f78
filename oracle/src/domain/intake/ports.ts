import type { MeterId, MeterWatermark, Reading, Reason } from '@gridtokenx/protocol';
import type { MeterRecord, SeriesRow } from '../ports.js';
import type { VerdictCode } from '../verdicts/verdict.js';
import type { Admission } from './admit.js';

/** One message as it came in, judged by itself. */
export interface ReceivedMessage {
  /** The gateway whose topic it came on, 32 bytes; the broker vouches for it. */
  readonly gateway: Uint8Array;
  /** The meter named by the topic, hex: for counting what names no meter itself. */
  readonly topicMeter: MeterId | null;
  readonly admission: Admission;
  /** Time on the clock that drives readings, ms. */
  readonly arrivedAtMs: number;
  /** Real time, ms. */
  readonly receivedAtMs: number;
}

/** A message that waits for a newer registry state. */
export interface Waiting {
  readonly gateway: Uint8Array;
  readonly topicMeter: MeterId | null;
  readonly message: Uint8Array;
  readonly meterId: MeterId | null;
  readonly reason: Reason;
  readonly arrivedAtMs: number;
  readonly receivedAtMs: number;
}

export interface CommitResult {
  /** Readings that became verified by this commit. */
  readonly verified: readonly { readonly meter: MeterRecord; readonly reading: Reading }[];
  /** Gateways of meters that were judged again and not part of the batch. */
  readonly gateways: readonly Uint8Array[];
  /** Number of messages by verdict of this commit, for metrics. */
  readonly verdicts: ReadonlyMap<VerdictCode, number>;
  /** More is to be judged again; ask soon. */
  readonly hasMore?: boolean;
}

/** What a gateway is told. */
export interface AckContent {
  readonly meters: ReadonlyMap<MeterId, MeterWatermark>;
  readonly refused: readonly { readonly hash: Uint8Array; readonly reason: Reason }[];
}

/**
 * The durable record of all messages with their verdicts. Every method throws when the disk fails; then nothing of the
 * call is stored, the caller counts a storage failure, and the gateway sends again.
 */
export interface Ledger {
  /** 16 random bytes, made with the file. */
  readonly id: Uint8Array;
  /** Stores and judges a batch in one commit. When it returns, all of it is durable. */
  take(arrivals: readonly ReceivedMessage[], nowMs: number): CommitResult;
  /** Judges again what waited for time or for the registry, a bounded part of it in one commit. */
  reconsider(nowMs: number): CommitResult;
  /** Rejected messages that a newer registry state may decide otherwise, oldest first. */
  waiting(limit: number): Waiting[];
  tell(gateway: Uint8Array): AckContent;
  /** All gateways that ever sent something. */
  gateways(): Uint8Array[];
  /** A real time above all that were handed out before, ever; durable before it returns. */
  nextAckTime(realNowMs: number): number;
  /**
   * Readings that became verified, or are so no longer, and are not yet in the time series as such, oldest first, with the number to clear them by; 0 when there is nothing.
   * Those of meters that the registry does not show wait beside it and hold up no other.
   */
  outbox(limit: number): { readonly through: number; readonly points: readonly SeriesRow[] };
  clearOutbox(through: number): void;
}

/** One signature to check. Whoever asks does not change the bytes until it is answered. */
export interface VerifyJob {
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
  readonly key: Uint8Array;
}

/** Checks signatures in this thread or elsewhere, by the same rule as the `Verifier` that all of it is proved as. */
export interface SignatureChecks {
  /** Threads that check beside the asking one; 0: none. */
  readonly threads: number;
  /**
   * Calls back once, during the call or later, with an answer for each question. Jobs that were asked together are
   * answered together, others in any order. It may check here, and so take its time, when too much waits. Never throws.
   */
  ask(questions: readonly VerifyJob[], answered: (valid: readonly boolean[]) => void): void;
  /** Returns when everything that was asked is answered. Not to be called from within an answer. */
  finish(): void;
  /** Answers what was asked, and ends the threads. */
  close(): Promise<void>;
}
