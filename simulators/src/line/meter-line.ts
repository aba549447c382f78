import type { Clock } from '@gridtokenx/runtime/core';
import { answerPdu, type ModbusUnit, type Request, rtuFrame } from '../modbus-frames.js';
import type { Carrier } from './carrier.js';
import { type Chance, whole } from './chance.js';
import type { AnswerFaults, Delivery } from './faults.js';

export type Parity = 'none' | 'even' | 'odd';

/** Settings of a meter's port. */
export interface LineSettings {
  readonly baud: number;
  readonly parity: Parity;
  readonly stopBits: 1 | 2;
}

/** Settings of the master's port as far as they are visible; null = invisible, and then they match. */
export interface MasterSettings {
  readonly baud: number | null;
  readonly parity: Parity | null;
}

/** A meter on a line. */
export interface LineMeter {
  readonly unit: number;
  readonly registers: ModbusUnit;
  /** Settings of its port; null on a network, where nothing is paced. */
  readonly settings: LineSettings | null;
  /** Returns the time from the request's last character to the answer's first, ms. */
  readonly turnaroundMs: () => number;
  readonly faults: AnswerFaults | null;
  /** Returns true while the meter is silent. */
  readonly isDown: () => boolean;
}

/** A second master on this line: it sends the same read, again and again. */
export interface SecondMaster {
  readonly everyMs: number;
  readonly unit: number;
  readonly fn: 3 | 4;
  readonly address: number;
  readonly count: number;
}

export interface MeterLineOptions {
  readonly meters: readonly LineMeter[];
  readonly carrier: Carrier;
  readonly master: () => MasterSettings;
  readonly time: Pick<Clock, 'monotonicMs' | 'after'>;
  readonly chance: Chance;
  /**
   * Interval in which characters are gathered and delivered together, as serial adapters do, ms; 0 = each at its time.
   */
  readonly gatherMs?: number;
  /** Every request comes back to the master, as from an adapter that receives its own characters. */
  readonly echo?: boolean;
  readonly secondMaster?: SecondMaster;
}

/** Receiver of an answer: its bytes, and the end of the connection where a fault demands it. */
export interface Reply {
  readonly say: (bytes: Uint8Array) => void;
  readonly end: () => void;
}

/** Function codes that change a meter's state (Modbus application protocol 1.1b3, section 6). */
const WRITE_CODES: ReadonlySet<number> = new Set([5, 6, 15, 16, 21, 22, 23]);

/** Returns the time of a character, ms: start bit, 8 data bits, parity, stop bits. */
export const characterMs = ({ baud, parity, stopBits }: LineSettings): number =>
  ((9 + (parity === 'none' ? 0 : 1) + stopBits) * 1_000) / baud;

/**
 * Simulates meters on one line. Each meter that hears a request answers at the pace of its own settings and with its
 * own faults. Two may speak at once; then both answers are garbage, as on a real line.
 */
export class MeterLine {
  /** Counts of requests by function code, to any unit, at a speed that a meter has. */
  readonly requests = new Map<number, number>();
  /** Count of requests that no meter heard, because none has the master's settings. */
  unheard = 0;
  /** Count of answers that meters began; their faults count separately. */
  answered = 0;
  readonly #options: MeterLineOptions;
  readonly #cancels = new Set<() => void>();
  #isClosed = false;

  constructor(options: MeterLineOptions) {
    this.#options = options;
  }

  /** Counts the requests that would change a meter's state. */
  get writes(): number {
    let sum = 0;
    for (const [code, count] of this.requests) if (WRITE_CODES.has(code)) sum += count;
    return sum;
  }

  /** Takes a request whose last byte was just delivered; its characters still take their time on the line. */
  ask(request: Request, reply: Reply): void {
    const { meters, echo } = this.#options;
    if (echo) reply.say(rtuFrame(request.unit, request.pdu));
    const hearing = meters.filter((meter) => this.#hears(meter));
    if (hearing.length === 0) {
      this.unheard++;
      return;
    }
    const code = request.pdu[0] ?? 0;
    this.requests.set(code, (this.requests.get(code) ?? 0) + 1);
    for (const meter of hearing)
      if (meter.unit === request.unit && !meter.isDown()) this.#answer(meter, request, reply);
  }

  /** Starts the second master, which sends to `reply` and to the meters. */
  startSecondMaster(reply: Reply): void {
    const second = this.#options.secondMaster;
    if (!second) return;
    const { unit, fn, address, count, everyMs } = second;
    const pdu = Uint8Array.of(fn, address >> 8, address & 0xff, count >> 8, count & 0xff);
    const speak = () => {
      const meter = this.#options.meters.find((one) => one.unit === unit);
      this.#say(rtuFrame(unit, pdu), meter?.settings ?? null, reply);
      if (meter && !meter.isDown())
        this.#answer(meter, { unit, pdu, wrap: (body, as = unit) => rtuFrame(as, body) }, reply);
      this.#after(everyMs, speak);
    };
    this.#after(everyMs, speak);
  }

  /** Ends all answers. */
  close(): void {
    this.#isClosed = true;
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }

  #hears({ settings }: LineMeter): boolean {
    if (!settings) return true;
    const { baud, parity } = this.#options.master();
    return (baud === null || baud === settings.baud) && (parity === null || parity === settings.parity);
  }

  #answer(meter: LineMeter, request: Request, reply: Reply): void {
    const { time } = this.#options;
    const { unit, settings, faults } = meter;
    const charMs = settings ? characterMs(settings) : 0;
    this.answered++;
    const heardAtMs = time.monotonicMs() + (request.pdu.length + 3) * charMs;
    const said = { unit, pdu: answerPdu(meter.registers, request.pdu), wrap: request.wrap };
    const sentAtMs = meter.turnaroundMs();
    if (faults?.echoes()) this.#say(rtuFrame(request.unit, request.pdu), settings, reply);
    const deliveries = faults
      ? faults.deliveries(said, { sentAtMs, lengthMs: (said.pdu.length + 3) * charMs, nowMs: time.monotonicMs() })
      : [{ atMs: sentAtMs, latestMs: null, parts: [said], damage: null }];
    for (const delivery of deliveries) this.#deliver(delivery, { meter, reply, heardAtMs });
  }

  #deliver(delivery: Delivery, to: { meter: LineMeter; reply: Reply; heardAtMs: number }): void {
    const { time, carrier, chance } = this.#options;
    const { meter, reply, heardAtMs } = to;
    this.#after(heardAtMs + delivery.atMs - time.monotonicMs(), () => {
      if (delivery.latestMs !== null && time.monotonicMs() > heardAtMs + delivery.latestMs) {
        const counts = meter.faults?.counts;
        if (counts) counts.withheld = (counts.withheld ?? 0) + 1;
        return;
      }
      const carried = carrier(delivery, chance);
      if (!carried) return;
      this.#say(carried.bytes, meter.settings, reply);
      if (carried.ends) reply.end();
    });
  }

  /**
   * Sends characters one after another. A master with other settings receives other characters, and another number of
   * them.
   */
  #say(frame: Uint8Array, settings: LineSettings | null, reply: Reply): void {
    if (!settings) {
      reply.say(frame);
      return;
    }
    const { time, chance, gatherMs = 0 } = this.#options;
    const { baud } = this.#options.master();
    const isClear = baud === null || baud === settings.baud;
    const bytes = isClear ? frame : garbled(frame, baud / settings.baud, chance);
    const charMs = characterMs(settings) * (frame.length / bytes.length);
    const beganAtMs = time.monotonicMs();
    let sent = 0;
    const next = () => {
      const due = Math.min(bytes.length, Math.floor((time.monotonicMs() - beganAtMs) / charMs + 1e-6));
      if (due > sent) reply.say(bytes.subarray(sent, due));
      sent = Math.max(sent, due);
      if (sent === bytes.length) return;
      const dueAtMs = Math.min(
        bytes.length * charMs,
        Math.max((sent + 1) * charMs, time.monotonicMs() - beganAtMs + gatherMs),
      );
      this.#after(beganAtMs + dueAtMs - time.monotonicMs(), next);
    };
    next();
  }

  #after(delayMs: number, call: () => void): void {
    if (this.#isClosed) return;
    if (delayMs <= 0) {
      call();
      return;
    }
    const cancel = this.#options.time.after(delayMs, () => {
      this.#cancels.delete(cancel);
      if (!this.#isClosed) call();
    });
    this.#cancels.add(cancel);
  }
}

/**
 * Returns the characters that a port at another speed receives: about as many as fit into their time, without meaning.
 */
function garbled(frame: Uint8Array, ratio: number, chance: Chance): Uint8Array {
  const length = Math.max(1, Math.round(frame.length * ratio));
  return Uint8Array.from({ length: Math.min(length, 4_096) }, () => whole(chance, 0, 255));
}
