import { EXCEPTION_TEXTS } from '../bus/exceptions.js';
import { ECHO_TEXT, foreignText, NEVER_SILENT_TEXT, NOISE_TEXT } from '../scan/messages.js';
import { settingText } from '../scan/settings.js';
import type { LineObservation, Reading, UnitObservation } from './observation.js';

/** A problem or a fact worth knowing, with what to do. */
export interface Finding {
  /** `note`: harmless. */
  readonly level: 'problem' | 'note';
  readonly where: string;
  readonly text: string;
}

const MANY = 0.02;
/** Time of identical replies after which a meter counts as frozen, ms. */
const FROZEN_MS = 8_000;
/** Energy that must have flowed before a constant register is suspicious, in steps of the register. */
const FROZEN_STEPS = 3;
const HOUR_MS = 3_600_000;

/** Lists a bus's problems, the most important first; empty when it is well. Pure. */
export function diagnose(seen: LineObservation): Finding[] {
  const problem = (text: string): Finding => ({ level: 'problem', where: seen.name, text });
  if (seen.problem !== null) return [problem(seen.problem)];
  const foreign = seen.spoken.filter(({ how }) => how === 'foreign');
  if (foreign.length >= 2) return [problem(foreignText(foreign, seen.setting))];
  if (seen.isEndless) return [problem(NEVER_SILENT_TEXT)];
  const list: Finding[] = [];
  if (seen.noise > 0 && hasWires(seen)) list.push(problem(NOISE_TEXT));
  const [one] = foreign;
  if (one)
    list.push(
      problem(
        `unit ${one.unit} answered without a request: a meter that answers under another number, or another device that polls`,
      ),
    );
  if (isAllSilent(seen)) list.push(problem(silentLine(seen)));
  else for (const unit of seen.units) list.push(...unitFindings(seen, unit));
  if (seen.echoes > 0) list.push({ level: 'note', where: seen.name, text: ECHO_TEXT });
  return list;
}

/** Returns true for a line with wires of its own, or behind a converter. A network address alone has none to check. */
const hasWires = ({ setting }: LineObservation) => setting.transport !== 'tcp';

const hears = ({ answered, damaged, exceptions }: UnitObservation) => answered + damaged + exceptions.length > 0;

function isAllSilent({ units, strangers }: LineObservation): boolean {
  const isHeard = units.some((unit) => hears(unit) || unit.elsewhere !== null || unit.latestMs > 0);
  return units.length > 0 && !isHeard && strangers.length === 0;
}

function silentLine({ setting, units }: LineObservation): string {
  const who = units.map(({ unit }) => unit).join(', ');
  if (setting.transport === 'tcp')
    return `the connection is open, but unit ${who} does not answer: is the unit number right? If this is a converter for raw RTU frames, write transport: rtu-over-tcp`;
  const speeds = setting.transport === 'serial' ? `neither at ${settingText(setting)} nor at another usual speed` : '';
  return `nothing answers (unit ${who}) ${speeds}: swap the wires A and B; is the line whole, is the meter on, is its Modbus port of the RS-485 kind and enabled? \`gridtokenx-gateway scan\` searches for other units`.replace(
    ') :',
    '):',
  );
}

function unitFindings(seen: LineObservation, one: UnitObservation): Finding[] {
  const where = `${seen.name}, unit ${one.unit} (${one.meter})`;
  const texts = hears(one) ? speakingTexts(seen, one) : [silentText(seen, one)];
  const { lengths } = one;
  const isShort = lengths !== null && lengths.above > 0;
  const notes = isShort
    ? [`refuses ${lengths.below} registers at once and answers ${lengths.above}: the gateway sends shorter reads`]
    : [];
  return [
    ...texts.map((text): Finding => ({ level: 'problem', where, text })),
    ...notes.map((text): Finding => ({ level: 'note', where, text })),
  ];
}

function silentText(seen: LineObservation, { elsewhere, latestMs, unit }: UnitObservation): string {
  if (elsewhere?.transport === 'serial') {
    const { baud, parity, stopBits } = elsewhere;
    return `answers at ${settingText(elsewhere)}, not at ${settingText(seen.setting)}: set the meter to the line's speed, or write baud: ${baud}, parity: ${parity}, stop_bits: ${stopBits}`;
  }
  if (latestMs > 0) return lateText(seen, latestMs);
  if (seen.strangers.length > 0)
    return `is silent, while unit ${seen.strangers.join(', ')} answers, which is not configured: is ${unit} the right number?`;
  if (seen.setting.transport === 'tcp')
    return 'is silent, while others at this address answer: is it on, is its unit number right?';
  return 'is silent, while others on this line answer: is it on, is its unit number right, is it wired?';
}

const lateText = ({ waitMs }: LineObservation, latestMs: number) =>
  `answers after up to ${Math.round(latestMs)} ms, but the gateway waits only ${waitMs} ms and never uses a later answer. Raise request_timeout_ms, and check the answer delay in the meter's menu`;

function speakingTexts(seen: LineObservation, one: UnitObservation): string[] {
  const { asked, answered, damaged, silent, exceptions, latestMs, against } = one;
  const list: string[] = [];
  const percent = (count: number) => `${((100 * count) / Math.max(1, asked)).toFixed(0)} %`;
  if (damaged > MANY * asked) list.push(damagedText(seen, one, percent(damaged)));
  const isLate = latestMs > seen.waitMs;
  if (isLate) list.push(lateText(seen, latestMs));
  // The first question waits a shorter time than the gateway does.
  else if (latestMs === 0 && silent > MANY * asked)
    list.push(
      `gives no answer to ${percent(silent)} of the requests: ${seen.setting.transport === 'tcp' ? 'a bad network' : 'a loose wire'}, or a meter that is too busy`,
    );
  if (exceptions.length > 0) list.push(exceptionText(one, percent(exceptions.length)));
  // Nobody can identify a meter that hardly answers.
  if (answered > 0 && exceptions.length === 0 && against !== null && against.length > 0 && damaged + silent === 0)
    list.push(
      `does not look like ${one.model}: ${against.join('; ')}. Is its profile right? \`scan\` finds the right one`,
    );
  else list.push(...registerTexts(one));
  return list;
}

function damagedText(seen: LineObservation, one: UnitObservation, percent: string): string {
  const { units } = seen;
  const others = units.filter((unit) => unit !== one && unit.answered > 0 && unit.damaged === 0);
  if (one.answered === 0 && units.every((unit) => unit.answered === 0))
    return hasWires(seen)
      ? 'all of its answers are damaged: another speed or parity, noise, or two meters with this unit number'
      : 'all of its answers are damaged: is this Modbus TCP? For a converter of raw RTU frames write transport: rtu-over-tcp';
  if (others.length > 0)
    return `${percent} of its answers are damaged, while unit ${others.map(({ unit }) => unit).join(', ')} is well: two meters with this unit number? Disconnect one meter and try again`;
  const advice = hasWires(seen) ? 'check the end resistors, the shield, and the wires A and B' : 'restart the device';
  return `${percent} of its answers are damaged: ${advice}`;
}

function exceptionText({ exceptions }: UnitObservation, percent: string): string {
  const codes = [...new Set(exceptions)];
  const why = codes.map((code) => `exception ${code}${EXCEPTION_TEXTS[code] ? `, ${EXCEPTION_TEXTS[code]}` : ''}`);
  return `answers ${percent} of the requests with an exception (${why.join('; ')})`;
}

function registerTexts({ readings, sameForMs }: UnitObservation): string[] {
  const list: string[] = [];
  for (const key of ['importWh', 'exportWh'] as const) {
    const falls = fall(readings, key);
    if (falls)
      list.push(
        `its ${key === 'importWh' ? 'import' : 'export'} register fell from ${falls.from} to ${falls.to} Wh: nothing is signed until the register is back. If it stays low, run \`accept-register\`, or ask your utility after an exchange; or two meters answer under one number`,
      );
  }
  if (list.length > 0) return list;
  if (energyStands(readings))
    list.push(
      'shows power, but its energy registers do not move: a frozen register, or a converter that repeats old answers',
    );
  else if (sameForMs !== null && sameForMs >= FROZEN_MS && hasPower(readings))
    list.push(
      `shows exactly the same values for ${Math.round(sameForMs / 1_000)} s: it may be frozen, or a converter repeats old answers`,
    );
  return list;
}

function fall(readings: readonly Reading[], key: 'importWh' | 'exportWh'): { from: bigint; to: bigint } | null {
  let last: bigint | null = null;
  for (const reading of readings) {
    const value = reading[key];
    if (value === null) continue;
    if (last !== null && value < last) return { from: last, to: value };
    last = value;
  }
  return null;
}

const hasPower = (readings: readonly Reading[]) => readings.some(({ powerW }) => powerW !== null && powerW !== 0);

/** Returns true when power flowed in one direction for so long that the energy registers should have moved. */
function energyStands(readings: readonly Reading[]): boolean {
  let wh = 0;
  for (const [i, { powerW, atMs }] of readings.entries()) {
    const before = readings[i - 1];
    if (!before || powerW === null || before.powerW === null) continue;
    const least =
      Math.sign(powerW) === Math.sign(before.powerW) ? Math.min(Math.abs(powerW), Math.abs(before.powerW)) : 0;
    wh += (least * (atMs - before.atMs)) / HOUR_MS;
  }
  const moved = (key: 'importWh' | 'exportWh') =>
    new Set(readings.map((reading) => reading[key]).filter((value) => value !== null)).size > 1;
  const stepWh = Math.max(1, ...readings.map((reading) => Number(reading.stepWh ?? 1)));
  return wh >= FROZEN_STEPS * stepWh && !moved('importWh') && !moved('exportWh');
}
