import type { MeterId, MeterWatermark, Reading, Reason } from '@gridtokenx/protocol';
import type { MeterRecord, SeriesRow } from '../ports.js';
import type { VerdictCode } from '../verdicts/verdict.js';
import type { Admission } from './admit.js';

/** One received message, judged by itself. */
export interface ReceivedMessage {
  /** The gateway of the message's topic, 32 bytes; the broker vouches for it. */
  readonly gateway: Uint8Array;
  /** The meter named by the topic, hex: counts messages that name no meter themselves; null without one. */
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
  /** Gateways of re-judged meters outside the batch. */
  readonly gateways: readonly Uint8Array[];
  /** Number of messages by verdict of this commit, for metrics. */
  readonly verdicts: ReadonlyMap<VerdictCode, number>;
  /** More messages remain to be judged again; call again soon. */
  readonly hasMore?: boolean;
}

/** Content of a gateway's ack. */
export interface AckContent {
  readonly meters: ReadonlyMap<MeterId, MeterWatermark>;
  readonly refused: readonly { readonly hash: Uint8Array; readonly reason: Reason }[];
}

/**
 * The durable record of all messages with their verdicts. Every method throws when the disk fails, and then stores
 * nothing of the call. The caller counts a storage failure, and the gateway sends again.
 */
export interface Ledger {
  /** 16 random bytes, made with the file. */
  readonly id: Uint8Array;
  /** Stores and judges a batch in one commit. When `take` returns, the whole batch is durable. */
  take(arrivals: readonly ReceivedMessage[], nowMs: number): CommitResult;
  /** Judges again messages that waited for time or for the registry, a bounded number in one commit. */
  reconsider(nowMs: number): CommitResult;
  /** Returns rejected messages that a newer registry state may accept, oldest first. */
  waiting(limit: number): Waiting[];
  tell(gateway: Uint8Array): AckContent;
  /** Returns all gateways that ever sent a message. */
  gateways(): Uint8Array[];
  /** Returns a real time above all that it ever returned; durable before it returns. */
  nextAckTime(realNowMs: number): number;
  /**
   * Returns readings whose verification changed and that the time series does not show yet, oldest first. `through`
   * clears them; 0 when there are none. Readings of meters that the registry does not show wait separately and delay no
   * others.
   */
  outbox(limit: number): { readonly through: number; readonly points: readonly SeriesRow[] };
  clearOutbox(through: number): void;
}

/** One signature to check. The caller leaves the bytes unchanged until the answer. */
export interface VerifyJob {
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
  readonly key: Uint8Array;
}

/** Checks signatures in this thread or elsewhere, by the rule that the `Verifier` has proved. */
export interface SignatureChecks {
  /** Threads that check beside the calling thread; 0: none. */
  readonly threads: number;
  /**
   * Calls back once, during the call or later, with an answer for each job. Jobs of one call are answered together;
   * calls are answered in any order. When too many jobs wait, the call checks some itself, which takes time. Never
   * throws.
   */
  ask(jobs: readonly VerifyJob[], answered: (valid: readonly boolean[]) => void): void;
  /** Returns when all jobs are answered. Must not be called from within a callback. */
  finish(): void;
  /** Answers all jobs, and ends the threads. */
  close(): Promise<void>;
}
