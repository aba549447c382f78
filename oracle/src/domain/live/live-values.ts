import {
  asPublicKeyText,
  type LiveReading,
  type MeterId,
  type PublicKeyText,
  type Reading,
} from '@gridtokenx/protocol';
import type { MeterRecord } from '../ports.js';
import { isSeriesTime } from './series-write.js';

/** A reading that became verified. */
export interface VerifiedReading {
  readonly meter: MeterRecord;
  readonly reading: Reading;
}

export interface LiveValuesDeps {
  /** The gateway that last brought something new of a meter, 32 bytes; null for none. */
  readonly gatewayOf: (meterId: MeterId) => Uint8Array | null;
  /** Hands a value to dashboards; lost where nobody listens. `meter`: 16 bytes. */
  readonly publish: (value: LiveReading, meter: Uint8Array) => void;
}

/** Projects verified readings to the newest value of each meter: dashboards show now, the time series has the rest. */
export class LiveValues {
  readonly #deps: LiveValuesDeps;
  /** By meter: time of what was shown last. */
  readonly #shown = new Map<string, number>();

  constructor(deps: LiveValuesDeps) {
    this.#deps = deps;
  }

  /** Shows the newest of each meter of a commit: a backlog is no live value. */
  show(verified: readonly VerifiedReading[]): void {
    const newest = new Map<string, VerifiedReading>();
    for (const entry of verified) {
      const before = newest.get(entry.meter.meterId);
      if (!before || entry.reading.timeMs >= before.reading.timeMs) newest.set(entry.meter.meterId, entry);
    }
    for (const entry of newest.values()) this.#showOne(entry);
  }

  #showOne({ meter, reading }: VerifiedReading): void {
    const timeMs = Number(reading.timeMs);
    if (!isSeriesTime(timeMs) || timeMs <= (this.#shown.get(meter.meterId) ?? 0)) return;
    this.#shown.set(meter.meterId, timeMs);
    const gateway = this.#deps.gatewayOf(meter.meterId);
    this.#deps.publish(liveReading(meter, reading, gateway ? asPublicKeyText(gateway) : ''), reading.meterId);
  }
}

function liveReading(meter: MeterRecord, reading: Reading, gateway: PublicKeyText | ''): LiveReading {
  return {
    meter: meter.meterId,
    gateway,
    zone: meter.zone,
    seq: String(reading.seq),
    timeMs: Number(reading.timeMs),
    importWh: String(reading.importWh),
    exportWh: String(reading.exportWh),
    powerW: reading.powerW,
    voltageDv: reading.voltageDv,
    frequencyChz: reading.frequencyChz,
    quality: reading.quality,
    signer: meter.signer,
  };
}
