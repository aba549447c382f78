import type { Clock } from '@gridtokenx/runtime/core';
import { hasCrc, withCrc } from '../../src/domain/bus/crc.js';
import { type Line, LineGone } from '../../src/domain/bus/ports.js';

import { type Setting, settingText, speedOf } from '../../src/domain/scan/settings.js';
import type { FakeMeter } from './profile-meter.js';

/** Time for which adapters gather bytes before they deliver them, ms. */
const GATHER_MS = 12;

export interface LineMeter {
  readonly unit: number;
  readonly setting: Setting;
  readonly meter: FakeMeter;
  readonly turnaroundMs?: number;
}

/**
 * A line on a virtual clock with meters of different settings. The injected setting includes the parity. Only a meter
 * with the line's setting hears a request. Simultaneous answers are mixed.
 */
export class ScanLine {
  readonly requests: { setting: Setting; frame: Uint8Array; atMs: number }[] = [];
  readonly opened: Setting[] = [];
  writes = 0;
  /** True: bytes in flight while the line is reopened arrive at the new setting, whatever it is. */
  keepsBytes = false;
  #last: OpenLine | null = null;
  /** Called for each request before any meter answers; true: no meter hears it. */
  intercept: (frame: Uint8Array, line: OpenLine) => boolean = () => false;
  /** Changes an answer's bytes or its time. */
  bend: (answer: Uint8Array, delayMs: number, unit: number) => { answer: Uint8Array; delayMs: number } = (
    answer,
    delayMs,
  ) => ({
    answer,
    delayMs,
  });
  onOpen: (line: OpenLine) => void = () => {};
  readonly #clock: Clock;
  readonly #meters: readonly LineMeter[];

  constructor(clock: Clock, meters: readonly LineMeter[]) {
    this.#clock = clock;
    this.#meters = meters;
  }

  readonly open = async (setting: Setting): Promise<OpenLine> => {
    this.opened.push(setting);
    const line: OpenLine = new OpenLine(this.#clock, setting, (frame) => this.#asked(line, setting, frame));
    if (this.keepsBytes) this.#last?.goesOnAs(line);
    this.#last = line;
    this.onOpen(line);
    return line;
  };

  #asked(line: OpenLine, setting: Setting, frame: Uint8Array): void {
    const [unit = 0, fn = 0] = frame;
    this.requests.push({ setting, frame, atMs: this.#clock.monotonicMs() });
    if (fn < 1 || fn > 4) this.writes++;
    if (!hasCrc(frame, 8) || this.intercept(frame, line)) return;
    const word = (at: number) => (frame[at] ?? 0) * 256 + (frame[at + 1] ?? 0);
    const { charMs } = speedOf(setting);
    const answers = this.#meters.flatMap((one) => {
      if (one.unit !== unit || settingText(one.setting) !== settingText(setting)) return [];
      const said = one.meter(fn, word(2), word(4));
      if (said === null) return [];
      const body = typeof said === 'number' ? [unit, fn + 0x80, said] : [unit, fn, said.length, ...said];
      const delayMs = frame.length * charMs + Math.max(3.5 * charMs, one.turnaroundMs ?? 20);
      return [this.bend(withCrc(Uint8Array.from(body)), delayMs, unit)];
    });
    const [first, second] = answers;
    if (!first) return;
    const mixed = second ? first.answer.map((byte, i) => byte & (second.answer[i] ?? 0xff)) : first.answer;
    line.say(mixed, first.delayMs);
  }
}

export class OpenLine implements Line {
  readonly setting: Setting;
  isGone = false;
  readonly #clock: Clock;
  readonly #asked: (frame: Uint8Array) => void;
  #input: number[] = [];
  #isClosed = false;
  #next: OpenLine | null = null;

  constructor(clock: Clock, setting: Setting, asked: (frame: Uint8Array) => void) {
    this.#clock = clock;
    this.setting = setting;
    this.#asked = asked;
  }

  /** Puts bytes on the line, one character after another. */
  say(bytes: Uint8Array, delayMs: number): void {
    const { charMs } = speedOf(this.setting);
    const piece = Math.max(1, Math.floor(GATHER_MS / Math.max(charMs, 0.01)));
    for (let from = 0; from < bytes.length; from += piece) {
      const part = bytes.subarray(from, from + piece);
      this.#clock.after(delayMs + (from + part.length) * charMs, () => {
        this.#arrive(part);
      });
    }
  }
  goesOnAs(next: OpenLine): void {
    this.#next = next;
  }
  #arrive(part: Uint8Array): void {
    if (this.#next) this.#next.#arrive(part);
    else if (!this.#isClosed) this.#input.push(...part);
  }
  async write(bytes: Uint8Array): Promise<void> {
    if (this.isGone) throw new LineGone('the port was unplugged');
    this.#asked(bytes);
  }
  read(): Uint8Array {
    if (this.isGone) throw new LineGone('the port was unplugged');
    const bytes = Uint8Array.from(this.#input);
    this.#input = [];
    return bytes;
  }
  onArrival(): void {}
  async close(): Promise<void> {
    this.#isClosed = true;
  }
}
