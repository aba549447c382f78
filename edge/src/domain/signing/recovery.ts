import {
  type Enrolment,
  EventCode,
  Kind,
  type MeterEvent,
  type MeterId,
  Quality,
  type Reading,
  type RegisterPair,
  type Statement,
  shortHash,
  type Window,
  windowStartAtMs,
} from '@gridtokenx/protocol';
import { knownTimeMs, type TimedRegisters } from '../metering/registers.js';
import { contentOf, type SignedMessage } from '../signed-message.js';

/** Holds what the spool shows of one meter. */
export interface RecoveredMeter {
  highestSeq: bigint;
  /** Hash of the newest payload of kind 1 or 3; zero for none. */
  prev: Uint8Array;
  lastStatement: Statement | null;
  /** Statements that a derived point may still need, windows rising. */
  readonly inputs: Statement[];
  /** Payloads of readings after that statement, in seq order. */
  readonly openReadings: { readonly payload: Uint8Array; readonly reading: Reading }[];
  /** The highest registers that were signed as good; null for none. */
  lastGood: TimedRegisters | null;
  enrolment: { readonly message: SignedMessage; readonly payload: Enrolment } | null;
  /** Seqs that a gap declares. */
  readonly declared: { readonly first: bigint; readonly last: bigint; readonly reason: number }[];
}

interface Growing extends RecoveredMeter {
  prevSeq: bigint;
}

/**
 * Gathers, record by record, what each meter needs to continue. The caller passes statements and events before
 * readings.
 */
export class RecoveryScan {
  readonly #meters = new Map<MeterId, Growing>();
  readonly #inputsFrom: ReadonlyMap<MeterId, Window>;

  /** `inputsFrom`: the meters of a derived point, with the first window whose statements are kept. */
  constructor(inputsFrom: ReadonlyMap<MeterId, Window> = new Map()) {
    this.#inputsFrom = inputsFrom;
  }

  visit(message: SignedMessage): void {
    const payload = contentOf(message);
    // A record with a valid CRC was written by this software. Kinds of another version are ignored.
    if (!payload) return;
    const bytes = message.payload;
    const meter = this.#meter(message.meterId);
    if (payload.seq > meter.highestSeq) meter.highestSeq = payload.seq;
    if ((payload.kind === Kind.reading || payload.kind === Kind.event) && payload.seq > meter.prevSeq) {
      meter.prevSeq = payload.seq;
      meter.prev = shortHash(bytes);
    }
    if (payload.kind === Kind.statement) this.#statement(meter, message.meterId, payload);
    else if (payload.kind === Kind.event) this.#event(meter, payload);
    else if (payload.kind === Kind.enrolment) meter.enrolment ??= { message, payload };
    else this.#reading(meter, payload, bytes);
  }

  /** Returns what the spool shows of a meter; a meter without records starts from nothing. */
  result(meterId: MeterId): RecoveredMeter {
    const meter = this.#meter(meterId);
    meter.inputs.sort((a, b) => a.window - b.window);
    meter.openReadings.sort((a, b) => (a.reading.seq < b.reading.seq ? -1 : 1));
    const { lastStatement, enrolment } = meter;
    if (lastStatement) rememberGood(meter, ofWindow(lastStatement, lastStatement.timeUncertaintyMs));
    if (enrolment) rememberGood(meter, ofWindow(enrolment.payload, 0));
    return meter;
  }

  #meter(id: MeterId): Growing {
    let meter = this.#meters.get(id);
    if (!meter) {
      meter = {
        highestSeq: 0n,
        prev: new Uint8Array(16),
        prevSeq: 0n,
        lastStatement: null,
        inputs: [],
        openReadings: [],
        lastGood: null,
        enrolment: null,
        declared: [],
      };
      this.#meters.set(id, meter);
    }
    return meter;
  }

  #statement(meter: Growing, id: MeterId, payload: Statement): void {
    const from = this.#inputsFrom.get(id);
    if (from !== undefined && payload.window >= from) meter.inputs.push(payload);
    if (!meter.lastStatement || payload.window > meter.lastStatement.window) meter.lastStatement = payload;
  }

  #event(meter: Growing, event: MeterEvent): void {
    if (event.code !== EventCode.gap || event.detail === 0) return;
    const last = event.value + BigInt(event.detail) - 1n;
    meter.declared.push({ first: event.value, last, reason: event.data[0] ?? 0 });
  }

  #reading(meter: Growing, reading: Reading, payload: Uint8Array): void {
    const good = (reading.quality & Quality.discontinuity) === 0;
    const uncertaintyMs = reading.timeUncertaintyMs;
    const timeMs = knownTimeMs({ timeMs: Number(reading.timeMs), uncertaintyMs });
    const moment = { timeMs, uncertaintyMs: uncertaintyMs ?? 0, steadyMs: null };
    if (good) rememberGood(meter, { ...registersOf(reading), ...moment });
    if (reading.seq > (meter.lastStatement?.seq ?? 0n)) meter.openReadings.push({ payload, reading });
  }
}

/** Keeps the higher registers: signed registers never fall, so they are the later ones. */
function rememberGood(meter: Growing, found: TimedRegisters): void {
  const { lastGood } = meter;
  if (lastGood && found.importWh + found.exportWh < lastGood.importWh + lastGood.exportWh) return;
  const isLater = !lastGood?.timeMs || (found.timeMs !== null && found.timeMs >= lastGood.timeMs);
  const isHigher = !lastGood || found.importWh > lastGood.importWh || found.exportWh > lastGood.exportWh;
  if (isHigher || isLater) meter.lastGood = found;
}

/** Registers of a statement or an enrolment, which are not older than the begin of its window. */
function ofWindow(from: RegisterPair & { readonly window: Window }, uncertaintyMs: number | null): TimedRegisters {
  const timeMs = uncertaintyMs === null ? null : windowStartAtMs(from.window);
  return { ...registersOf(from), timeMs, uncertaintyMs: uncertaintyMs ?? 0, steadyMs: null };
}

function registersOf(from: { importWh: bigint; exportWh: bigint }): { importWh: bigint; exportWh: bigint } {
  return { importWh: from.importWh, exportWh: from.exportWh };
}

/** Removes `declared` from `ranges`; all inclusive, results rising. */
export function withoutDeclared(
  ranges: readonly { first: bigint; last: bigint }[],
  declared: readonly { readonly first: bigint; readonly last: bigint }[],
): { first: bigint; last: bigint }[] {
  let left = ranges.map(({ first, last }) => ({ first, last }));
  for (const gap of declared) {
    left = left.flatMap(({ first, last }) => {
      if (gap.last < first || gap.first > last) return [{ first, last }];
      const parts: { first: bigint; last: bigint }[] = [];
      if (gap.first > first) parts.push({ first, last: gap.first - 1n });
      if (gap.last < last) parts.push({ first: gap.last + 1n, last });
      return parts;
    });
  }
  return left.sort((a, b) => (a.first < b.first ? -1 : 1));
}
