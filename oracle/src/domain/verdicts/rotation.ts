import { equalBytes, NO_WINDOW, type Payload, type Window, type WindowOrNone, windowOf } from '@gridtokenx/protocol';
import type { MeterRecord } from '../ports.js';

/** The registry's terms of one key of a meter. */
export interface KeyTerms {
  /** Epoch that the key's enrolment names. */
  readonly epoch: number;
  /** Last window that the key may sign; `NO_WINDOW`: none; null while the key is in force. */
  readonly lastWindow: WindowOrNone | null;
}

/**
 * Returns the terms of a key. Null for a key that is neither in force nor its predecessor: the registry states nothing
 * about it.
 */
export function termsOf(meter: MeterRecord, key: Uint8Array): KeyTerms | null {
  if (equalBytes(meter.key, key)) return { epoch: meter.keyEpoch, lastWindow: null };
  if (!meter.previousKey || !equalBytes(meter.previousKey, key)) return null;
  return { epoch: meter.keyEpoch - 1, lastWindow: meter.previousKeyLastWindow ?? NO_WINDOW };
}

/** Returns the window that a payload belongs to: its own, or the window of its time. */
export function claimedWindow(payload: Payload): Window {
  return 'window' in payload ? payload.window : windowOf(Number(payload.timeMs));
}
