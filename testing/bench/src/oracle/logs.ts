import { asWindow, base58Encode, concatBytes, type Signer, windowStartAtMs } from '@gridtokenx/protocol';
import { KeyJournal, type MeterState } from '@gridtokenx/testing-kit/key-log';
import { INITIAL_WINDOW, meterOf, NETWORK, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import type { MeterRecord } from '#oracle/domain/ports.js';

export { INITIAL_WINDOW, NETWORK };

const READINGS = 15;

/** Returns an honest gateway's messages of a meter: windows of readings a minute apart, each with its statement. */
function logOf(record: MeterRecord, signer: Signer, count: number): Uint8Array[] {
  const state: MeterState = { timeMs: 0, importWh: record.importBaselineWh, exportWh: record.exportBaselineWh };
  const log = new KeyJournal(record, signer, NETWORK, state);
  const messages: Uint8Array[] = [];
  for (let window = INITIAL_WINDOW; messages.length < count; window++) {
    for (let minute = 1; minute <= READINGS; minute++) {
      state.exportWh += 20n;
      state.timeMs = windowStartAtMs(asWindow(window)) + minute * 60_000 - 1_000;
      messages.push(log.reading().message);
    }
    messages.push(log.statement(window).message);
  }
  return messages.slice(0, count);
}

/** All signed messages of one meter, and its registry record. */
export interface MeterJournal {
  readonly record: MeterRecord;
  readonly messages: readonly Uint8Array[];
}

/**
 * Returns `meters` journals of `each` messages: readings a minute apart and a statement for each window, nothing
 * missing.
 */
export function signedJournals(meters: number, each: number): MeterJournal[] {
  return Array.from({ length: meters }, (_, i) => {
    const record = meterOf(i + 1);
    return { record, messages: logOf(record, signerOf(i + 1), each) };
  });
}

/** Splits a journal into packets of `size` messages, like a gateway's backfill. */
export function packetsOf({ messages }: MeterJournal, size: number): Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (let at = 0; at < messages.length; at += size) packets.push(concatBytes(...messages.slice(at, at + size)));
  return packets;
}

/** Returns the entries of an oracle's meters file. */
export function metersFile(logs: readonly MeterJournal[]): string {
  const meters = logs.map(({ record }) => ({
    meter_id: record.meterId,
    owner: record.owner,
    key: base58Encode(record.key),
    signer: record.signer,
    role: record.role,
    zone: record.zone,
    import_baseline_wh: String(record.importBaselineWh),
    export_baseline_wh: String(record.exportBaselineWh),
    export_limit_w: record.exportLimitW,
    import_limit_w: record.importLimitW,
    enrolment_window: record.enrolmentWindow,
  }));
  return JSON.stringify({ version: 1, meters });
}

export { provedVerifier } from '@gridtokenx/runtime/node/sodium';
