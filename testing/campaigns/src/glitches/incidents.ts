import type { Random } from '@gridtokenx/testing-kit/random';
import type { Encoding, ShownValues } from './meter.js';

/** A disturbance of one meter. Times are ms since the begin of the world. */
export interface Incident {
  readonly kind: IncidentKind;
  readonly fromMs: number;
  /** Ends at this time, or after so many reads, whichever comes first. */
  readonly untilMs: number;
  readonly reads: number;
  /** Its size: Wh, an exponent, or a word, by its kind. */
  readonly size: number;
}

export type IncidentKind =
  | 'zeros'
  | 'ones'
  | 'word'
  | 'wild'
  | 'scale'
  | 'back'
  | 'fall'
  | 'gap'
  | 'restart'
  | 'exchange lower'
  | 'exchange beyond'
  | 'exchange within'
  | 'exchange serial';

const SECOND = 1_000;
const MINUTE = 60_000;
/** A glitch is shorter than the fall that makes a discontinuity. */
const LONGEST_GLITCH_MS = 20 * MINUTE;
const EXCHANGES = ['exchange lower', 'exchange beyond', 'exchange within', 'exchange serial'] as const;

/** Draws the disturbances of a world of `lengthMs`, in the order of their begin. */
export function drawIncidents(random: Random, encoding: Encoding, lengthMs: number): Incident[] {
  const incidents: Incident[] = [];
  const count = random.int(1, 4);
  for (let i = 0; i < count; i++) {
    const fromMs = drawBegin(random, lengthMs);
    const kind = random.pick(encoding.hasFactor ? [...KINDS, 'scale' as const, 'scale' as const] : KINDS);
    incidents.push(incidentOf(random, kind, fromMs));
    // A glitch often follows a start: then there is no earlier value of this run.
    if (kind === 'restart' && random.chance(0.6))
      incidents.push(incidentOf(random, random.pick(['zeros', 'ones', 'word', 'wild', 'back'] as const), fromMs));
  }
  if (random.chance(0.2)) incidents.push(incidentOf(random, random.pick(EXCHANGES), drawBegin(random, lengthMs)));
  return incidents.sort((a, b) => a.fromMs - b.fromMs);
}

const KINDS = ['zeros', 'ones', 'word', 'wild', 'back', 'fall', 'gap', 'restart'] as const;

/** A third of all disturbances begin at a window's boundary, or at once after the start. */
function drawBegin(random: Random, lengthMs: number): number {
  const any = random.int(0, lengthMs);
  if (random.chance(0.1)) return 0;
  return random.chance(0.25) ? Math.round(any / 900_000) * 900_000 + random.int(-6, 3) * SECOND : any;
}

function incidentOf(random: Random, kind: IncidentKind, fromMs: number): Incident {
  const isShort = random.chance(0.5);
  const lastsMs = isShort ? random.int(1, 30) * SECOND : random.int(1, LONGEST_GLITCH_MS / MINUTE) * MINUTE;
  const reads = random.chance(0.4) ? random.pick([1, 2, 3, 10]) : Number.POSITIVE_INFINITY;
  const glitch = { kind, fromMs, untilMs: fromMs + lastsMs, reads };
  const always = { reads: Number.POSITIVE_INFINITY };
  switch (kind) {
    case 'wild':
      return { ...glitch, size: 10 ** random.int(1, 7) * random.int(1, 9) };
    case 'word':
      return { ...glitch, size: random.int(0, 0xffff) };
    case 'back':
      return { ...glitch, size: random.int(1, 2) };
    case 'scale':
      return { ...glitch, ...always, size: random.pick([1, 1, 2]) };
    case 'fall': {
      const longMs = random.chance(0.4) ? random.int(35, 80) * MINUTE : lastsMs;
      return { ...glitch, ...always, untilMs: fromMs + longMs, size: 10 ** random.int(2, 6) * random.int(1, 9) };
    }
    case 'gap':
      return { ...glitch, ...always, untilMs: fromMs + random.int(1, 100) * MINUTE, size: 0 };
    case 'restart':
      return { ...glitch, ...always, untilMs: fromMs + random.int(0, 60) * MINUTE, size: random.int(0, 9) };
    case 'zeros':
    case 'ones':
      return { ...glitch, size: random.int(0, 2) };
    default:
      return { ...glitch, ...always, untilMs: Number.POSITIVE_INFINITY, size: random.int(1, 9) };
  }
}

export const isExchange = (kind: IncidentKind): boolean => kind.startsWith('exchange');

/** Changes the values that a meter shows. */
export function distortedValues({ kind, size }: Incident, shown: ShownValues, step: number): ShownValues {
  const { importWh, exportWh } = shown;
  const low = (wh: number, by: number) => Math.max(0, wh - by);
  switch (kind) {
    case 'zeros':
      return { ...shown, importWh: size === 1 ? importWh : 0, exportWh: size === 2 ? exportWh : 0 };
    case 'wild':
      return { ...shown, importWh: importWh + size };
    case 'back':
      return { ...shown, importWh: low(importWh, size * step), exportWh: low(exportWh, size * step) };
    case 'fall':
      return { ...shown, importWh: low(importWh, size), exportWh: low(exportWh, size) };
    case 'scale':
      return { ...shown, exponent: shown.exponent + size };
    default:
      return shown;
  }
}

/** Changes the bytes of an answer; the first `energyBytes` hold the energy. */
export function distortBytes({ kind, size }: Incident, bytes: Uint8Array, energyBytes: number): void {
  const half = energyBytes / 2;
  if (kind === 'ones') bytes.fill(0xff, size === 1 ? half : 0, size === 2 ? half : energyBytes);
  if (kind === 'word') {
    const word = 2 * (size % (energyBytes / 2));
    bytes[word] = size >> 8;
    bytes[word + 1] = (size * 7) & 0xff;
  }
}
