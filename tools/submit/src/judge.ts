import { type Config, type Meter, type MeterPage, NO_SLOT, SlotFlag, Status } from '@gridtokenx/chain-client';
import { asWindow, equalBytes, isAttestable, windowEndAtMs, windowOf, windowStartAtMs } from '@gridtokenx/protocol';
import { isSignedBy, type StatementIn } from './statement-file.js';

/** A gateway-signed statement waits until the slot is so many windows behind [chain §7.6]. */
const GATEWAY_SIGNED_WAIT_WINDOWS = 96;
/** Maximum time by which a window's end may lie ahead of the chain's clock, in ms [chain §2.5]. */
const TOLERANCE_MS = 60_000;

/** The chain's state of a statement's meter, all of one moment. */
export interface Seen {
  readonly config: Config | null;
  readonly meter: Meter | null;
  readonly page: MeterPage | null;
  /** Time of the chain's clock, ms. */
  readonly nowMs: number;
}

export type Judged = { readonly refused: string } | { readonly done: string } | { readonly place: Meter };

const at = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

/**
 * Returns why the chain would refuse a statement, in words with advice; or that the chain already has it; or its
 * destination.
 */
export function judge(given: StatementIn, { config, meter, page, nowMs }: Seen): Judged {
  const { statement } = given;
  if (!config) return { refused: 'the chain has no registry: is this the right RPC URL?' };
  if (!equalBytes(config.networkId, statement.networkId)) return { refused: 'it was signed for another network' };
  if (!meter) return { refused: 'the registry does not know its meter' };
  if (meter.status === Status.pending) return { refused: 'its meter waits for the utility to confirm it' };
  if (!isSignedBy(given, meter.deviceKey.toBytes())) {
    return { refused: 'it was not signed by the key that is in force for its meter' };
  }
  if (!isAttestable(statement.quality)) {
    return { refused: 'its quality is stale, unsynchronised or after a discontinuity: take another window' };
  }
  if (meter.slot === NO_SLOT) return { refused: 'its meter has no slot: give the statement of the connection point' };
  const slot = page?.slots[meter.slot];
  if (!slot) return { refused: 'the page of its meter does not exist yet' };
  if ((slot.flags & SlotFlag.closed) !== 0) return { refused: 'the slot was closed' };
  if ((slot.flags & SlotFlag.disputed) !== 0) return { refused: 'the slot is frozen by a dispute: wait for its end' };
  if ((slot.flags & SlotFlag.active) === 0 || meter.status !== Status.active) {
    return { refused: 'the meter is not active: ask the utility' };
  }
  const totals = {
    exportWh: meter.carriedExportWh + statement.exportWh - meter.baselineExportWh,
    importWh: meter.carriedImportWh + statement.importWh - meter.baselineImportWh,
  };
  if (slot.window === statement.window && slot.exportWh === totals.exportWh && slot.importWh === totals.importWh) {
    return { done: 'the chain has it already' };
  }
  return judgeTime(given, meter, slot, nowMs) ?? judgeTotals(totals, slot) ?? { place: meter };
}

function judgeTime(
  { statement: { window } }: StatementIn,
  meter: Meter,
  slot: { window: number },
  nowMs: number,
): Judged | null {
  if (window < meter.firstValidWindow) {
    return { refused: `the chain takes statements of this meter from window ${meter.firstValidWindow} on` };
  }
  if (window <= slot.window) return { refused: `the chain has a newer one, of window ${slot.window}` };
  if (windowEndAtMs(window) > nowMs + TOLERANCE_MS) {
    return { refused: `its window is not over by the chain's clock: send it again at ${at(windowEndAtMs(window))}` };
  }
  const behind = windowOf(nowMs) - slot.window;
  if (meter.signerLevel === 'gateway' && behind < GATEWAY_SIGNED_WAIT_WINDOWS) {
    const fromAtMs = windowStartAtMs(asWindow(slot.window + GATEWAY_SIGNED_WAIT_WINDOWS));
    return {
      refused:
        `a gateway-signed statement is taken when the slot is ${GATEWAY_SIGNED_WAIT_WINDOWS} windows behind: ` +
        `send it again from ${at(fromAtMs)} on`,
    };
  }
  return null;
}

function judgeTotals(
  totals: { exportWh: bigint; importWh: bigint },
  slot: { exportWh: bigint; importWh: bigint },
): Judged | null {
  if (totals.exportWh < 0n || totals.importWh < 0n) return { refused: 'a register is below its baseline' };
  if (totals.exportWh >= slot.exportWh && totals.importWh >= slot.importWh) return null;
  return { refused: `its totals are below the slot's (export ${slot.exportWh} Wh, import ${slot.importWh} Wh)` };
}
