import type { RegisterPair } from '@gridtokenx/protocol';
import type { MeterSample } from '../ports.js';
import type { MeterJournal } from '../signing/meter-journal.js';
import type { MeterState } from '../signing/meter-state.js';
import type { ClosedWindow } from '../signing/windows.js';
import type { MoreValues } from './more-values.js';

interface ViewedMeter {
  readonly name: string;
  readonly id: string;
  readonly enrolled: boolean;
  readonly journal: MeterJournal;
  readonly more: MoreValues;
  problems(): string[];
}

/** Describes a meter for people [gateway §13.2]; 64-bit numbers as text. */
export function meterView(
  meter: ViewedMeter,
  newest: { role: string; profileName: string; sample: MeterSample | null; closed: ClosedWindow | null },
): Record<string, unknown> {
  const { sample, closed } = newest;
  return {
    name: meter.name,
    meter_id: meter.id,
    role: newest.role,
    profile: newest.profileName,
    enrolled: meter.enrolled,
    signer: 'gateway',
    next_seq: meter.journal.nextSeq.toString(),
    reading: sample && {
      time_ms: sample.timeMs,
      ...pairText(sample),
      power_w: sample.powerW,
      raw_bytes: sample.raw.length,
    },
    more_values: meter.more.view(),
    statement: closed && { window: closed.window, ...pairText(closed), quality: closed.quality },
    registers: registersView(meter.journal.state),
    open_windows: meter.journal.windows.open.map(({ window }) => window),
    problems: meter.problems(),
  };
}

/** Shows how signed registers differ from the meter's own, and what persons accepted. */
export function registersView({ offsets, accepted, doubt, discontinuity }: MeterState): Record<string, unknown> {
  return {
    is_doubtful: doubt !== null,
    is_discontinuous: discontinuity !== null,
    offsets: pairText(offsets),
    accepted: accepted.map(({ timeMs, reason, raw, signed }) => ({
      time_ms: timeMs,
      reason,
      raw: pairText(raw),
      signed: pairText(signed),
    })),
  };
}

const pairText = ({ importWh, exportWh }: RegisterPair) => ({ import_wh: `${importWh}`, export_wh: `${exportWh}` });
