import { type Clock, sleep } from '@gridtokenx/runtime/core';
import { describe } from '../bus/connection.js';
import { RtuFraming, TcpFraming } from '../bus/framing.js';
import type { Line } from '../bus/ports.js';
import { ReplyQuarantine, USUAL_RULES } from '../bus/reply-quarantine.js';
import type { BusStats } from '../bus/stats.js';
import { ScanStopped } from './messages.js';
import { Prober, RecordingFramer } from './prober.js';
import { type Setting, sameSetting, speedOf } from './settings.js';

const REOPENS = 5;
const REOPEN_MS = 500;

export interface ScanLineOptions {
  /** Opens the line as it is set. */
  readonly open: (setting: Setting) => Promise<Line>;
  readonly clock: Clock;
  /** From 0 to 65,535: where transaction ids begin. */
  readonly firstId: number;
  readonly stats: BusStats;
}

interface Opened {
  readonly setting: Setting;
  readonly line: Line;
  readonly prober: Prober;
}

/** The one line that a scan has open, at one setting after the other, with one reply quarantine over all of them. */
export class ScanLine {
  readonly #options: ScanLineOptions;
  readonly #quarantine = new ReplyQuarantine(USUAL_RULES);
  readonly #rtu = new RecordingFramer(new RtuFraming(this.#quarantine), 0);
  readonly #tcp: RecordingFramer;
  #opened: Opened | null = null;
  #hasOpened = false;

  constructor(options: ScanLineOptions) {
    this.#options = options;
    this.#tcp = new RecordingFramer(new TcpFraming(this.#quarantine, true, options.firstId), 6);
  }

  framing(setting: Setting): RecordingFramer {
    return setting.transport === 'tcp' ? this.#tcp : this.#rtu;
  }

  /** Returns the prober that is open at this very setting; null where none is. */
  current(setting: Setting): Prober | null {
    return this.#opened && sameSetting(this.#opened.setting, setting) ? this.#opened.prober : null;
  }

  /** Opens the line at a setting, unless it is open there. Throws `ScanStopped`. */
  async prober(setting: Setting): Promise<Prober> {
    const current = this.current(setting);
    if (current) return current;
    await this.close();
    const { clock, stats } = this.#options;
    const line = await this.#open(setting);
    const framing = this.framing(setting);
    // Speakers at another setting prove nothing about this one.
    framing.drain();
    const prober = new Prober({ line, speed: speedOf(setting), framing, quarantine: this.#quarantine, stats, clock });
    this.#opened = { setting, line, prober };
    return prober;
  }

  /** A port that was just closed may say for a moment that it is locked. */
  async #open(setting: Setting): Promise<Line> {
    for (let tries = 1; ; tries++) {
      try {
        const line = await this.#options.open(setting);
        this.#hasOpened = true;
        return line;
      } catch (error) {
        const isOurs = this.#hasOpened && /lock/i.test(String(error));
        if (!isOurs || tries > REOPENS) throw new ScanStopped(describe(error), { cause: error });
        await sleep(this.#options.clock, REOPEN_MS);
      }
    }
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = null;
    await opened?.line.close();
  }
}
