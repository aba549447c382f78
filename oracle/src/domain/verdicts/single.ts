import { asPublicKeyText, type Enrolment, Reason, windowStartAtMs } from '@gridtokenx/protocol';
import type { MeterRecord } from '../ports.js';
import type { Entry, Judgement, ScanContext } from './entry.js';
import { futureOf } from './limits.js';
import { claimedWindow, type KeyTerms } from './rotation.js';
import { refusedFor, VERIFIED, type Verdict } from './verdict.js';

/** Returns the judgement of everything from the lowest equivocating seq on, whenever it arrived [wire §9.4]. */
export function suspended(contradicted: boolean): Judgement {
  return { verdict: refusedFor(contradicted ? Reason.equivocation : Reason.keySuspended), isBasis: false };
}

/**
 * Returns null unless a rotated key signs a window after its last window, whenever it signed and whenever the message
 * arrived.
 */
export function judgeKey({ payload, registryIsNewer }: Entry, { terms }: ScanContext): Verdict | null {
  if (terms.lastWindow === null || claimedWindow(payload) <= terms.lastWindow) return null;
  return refusedFor(Reason.wrongKey, registryIsNewer);
}

/**
 * Returns null when the time is neither ahead of the oracle's clock nor before the enrolment; an unknown time is
 * neither.
 */
export function judgeTime(
  timeMs: number | null,
  uncertaintyMs: number,
  entry: Entry,
  context: ScanContext,
): Verdict | null {
  if (timeMs === null) return null;
  const future = futureOf(timeMs - uncertaintyMs, entry.arrivedAtMs, context.nowMs);
  if (future === 'far') return refusedFor(Reason.farFuture);
  if (future === 'ahead') return refusedFor(Reason.fromTheFuture);
  if (timeMs + uncertaintyMs < windowStartAtMs(context.meter.enrolmentWindow)) {
    return refusedFor(Reason.beforeEnrolment, entry.registryIsNewer);
  }
  return null;
}

/**
 * An enrolment message must state the registered values: either it is the same message, or another enrolment is in
 * force. The registry keeps registers and window of the first key, so an enrolment of a later key states its own.
 */
export function judgeEnrolment(enrolment: Enrolment, meter: MeterRecord, terms: KeyTerms): Verdict {
  const isOfFirstKey =
    enrolment.importWh === meter.importBaselineWh &&
    enrolment.exportWh === meter.exportBaselineWh &&
    enrolment.window === meter.enrolmentWindow;
  const isSame =
    (isOfFirstKey || (terms.epoch > 0 && enrolment.window >= meter.enrolmentWindow)) &&
    asPublicKeyText(enrolment.owner) === meter.owner &&
    enrolment.zone === meter.zone &&
    enrolment.role === meter.role &&
    enrolment.deviceSigned === (meter.signer === 'device') &&
    enrolment.keyEpoch === terms.epoch;
  return isSame ? VERIFIED : refusedFor(Reason.unexpectedEnrolment);
}
