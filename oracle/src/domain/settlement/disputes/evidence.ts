import { asWindow, earliestWindow, type Window } from '@gridtokenx/protocol';
import type { MeterRecord } from '../../ports.js';
import { totalsOf } from '../plan.js';
import type { SignedStatement, StatementStore } from '../statements.js';
import type { CaseRead } from './ports.js';

/**
 * Bounds the statements of one key that one case reads, beside those that state exactly the slot's totals: a month of
 * windows. Bounds what a device that signs without end can cost.
 */
export const MAX_STATEMENTS_LOOKED_AT = 2_880;

/** A statement that answers a case, and the key that signed it. */
export interface Answer {
  readonly key: Uint8Array;
  readonly message: Uint8Array;
}

/**
 * Finds the statement by which a case is answered [chain §7.7]: signed by the meter's present key for a
 * window from its first valid one on, or by its previous key up to that key's last window; not later than the slot's
 * window, with totals at least the slot's. The verdict of the ledger does not matter: a device that contradicts itself
 * makes its earlier words suspect here, and they are its words all the same. Null where the ledger has none. May throw
 * when the disk fails.
 */
export function findAnswer(
  meter: MeterRecord,
  dispute: CaseRead,
  statements: Pick<StatementStore, 'saying' | 'signedBy'>,
): Answer | null {
  // The chain takes nothing but a device's own word for evidence.
  if (meter.signer !== 'device') return null;
  for (const [key, from, through] of spansOf(meter, dispute.slotWindow)) {
    if (from > through) continue;
    const answers = (one: SignedStatement) => {
      const totals = totalsOf(meter, one);
      const isInSpan = one.window >= from && one.window <= through;
      return isInSpan && totals.exportWh >= dispute.slotExportWh && totals.importWh >= dispute.slotImportWh;
    };
    const exact = {
      window: dispute.slotWindow,
      exportWh: dispute.slotExportWh - meter.exportCarriedWh + meter.exportBaselineWh,
      importWh: dispute.slotImportWh - meter.importCarriedWh + meter.importBaselineWh,
    };
    const found =
      statements.saying(meter.meterId, key, exact) ??
      statements.signedBy(meter.meterId, key, through, MAX_STATEMENTS_LOOKED_AT).find(answers);
    if (found && answers(found)) return { key, message: found.message };
  }
  return null;
}

/** Each key that is evidence, with the windows for which it is. */
function spansOf(meter: MeterRecord, through: Window): [key: Uint8Array, from: Window, through: Window][] {
  const { key, previousKey, previousKeyLastWindow } = meter;
  const present: [Uint8Array, Window, Window] = [key, meter.firstWindow, through];
  if (!previousKey || previousKeyLastWindow === undefined) return [present];
  return [present, [previousKey, asWindow(0), earliestWindow(through, previousKeyLastWindow)]];
}
