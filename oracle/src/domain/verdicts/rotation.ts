import { equalBytes, NO_WINDOW, type Payload, type Window, type WindowOrNone, windowOf } from '@gridtokenx/protocol';
import type { MeterRecord } from '../ports.js';

/** What the registry says of one key of a meter. */
export interface KeyTerms {
  /** Epoch that the key's enrolment names. */
  readonly epoch: number;
  /** Last window that the key may speak for; `NO_WINDOW`: none; null while it is in force. */
  readonly lastWindow: WindowOrNone | null;
}

/** The terms of a key, or null for one that is neither in force nor the one before: nothing new is known of it. */
export function termsOf(meter: MeterRecord, key: Uint8Array): KeyTerms | null {
  if (equalBytes(meter.key, key)) return { epoch: meter.keyEpoch, lastWindow: null };
  if (!meter.previousKey || !equalBytes(meter.previousKey, key)) return null;
  return { epoch: meter.keyEpoch - 1, lastWindow: meter.previousKeyLastWindow ?? NO_WINDOW };
}

/** The window that a payload speaks for: its own, or the one that its time lies in. */
export function claimedWindow(payload: Payload): Window {
  return 'window' in payload ? payload.window : windowOf(Number(payload.timeMs));
}
