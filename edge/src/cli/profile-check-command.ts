import { randomInt } from 'node:crypto';
import { Role } from '@gridtokenx/protocol';
import { silentLogger, sleep } from '@gridtokenx/runtime/core';
import { systemClock, systemRandom } from '@gridtokenx/runtime/node';
import { busAt } from '../adapters/modbus/open.js';
import { loadProfileFile } from '../adapters/profiles/files.js';
import { describe } from '../domain/bus/connection.js';
import { EXCEPTION_TEXTS } from '../domain/bus/exceptions.js';
import { ReplyQuarantine, USUAL_RULES } from '../domain/bus/reply-quarantine.js';
import { BusStats } from '../domain/bus/stats.js';
import type { Target } from '../domain/commissioning/target.js';
import { type MeterSample, ReadError } from '../domain/ports.js';
import { framerOf, Prober } from '../domain/scan/prober.js';
import { type Setting, settingText, speedOf } from '../domain/scan/settings.js';
import { type Reply, UnitProber } from '../domain/scan/unit-prober.js';
import { checkedReads, explainProfile } from '../profiles/explain.js';
import { judgeProbe } from '../profiles/probe.js';
import type { MeterProfile, ModbusProfile, SunspecProfile } from '../profiles/profile.js';
import { type Block, type DecodedSample, decodeSample } from '../profiles/sample.js';
import { sunspecBills } from '../profiles/sunspec.js';
import { lineBy } from '../wiring/readers.js';
import { StartError } from '../wiring/start-error.js';
import { openLine } from './open-line.js';

/** Options of the command line. */
export interface CheckOptions {
  readonly host?: string;
  readonly port?: number;
  readonly raw?: boolean;
  readonly path?: string;
  readonly baud?: number;
  readonly parity?: string;
  readonly stopBits?: number;
  readonly unit?: number;
}

/** The place of a live meter. */
interface Place {
  readonly target: Target;
  readonly setting: Setting;
  readonly unit: number;
}

const MODBUS_PORT = 502;
/** Time to listen before the first request, ms: answers to another program may still come. */
const LISTEN_MS = 1_000;
/** The machine's time: nothing is signed here, so nobody needs to know how right it is. */
const MACHINE_CLOCK = {
  nowMs: () => systemClock.nowMs(),
  steadyMs: () => systemClock.monotonicMs(),
  uncertaintyMs: () => null,
};
/** Assumed wait for the first answer, ms. */
const INITIAL_WAIT_MS = 300;
const TRIES = 3;

/**
 * Explains the profile in a file. With an address it also reads a meter by the profile, by reads only, and shows each
 * value with its unit. Returns true when all is well. Throws `ProfileError`, and `StartError` for bad options.
 */
export async function profileCheck(file: string, options: CheckOptions, signal: AbortSignal): Promise<boolean> {
  const profile = loadProfileFile(file);
  const place = placeOf(profile, options);
  for (const line of explainProfile(profile)) console.log(line);
  if (!place) {
    console.log('not read from a meter: give --host or --path');
    return true;
  }
  console.error(`reading unit ${place.unit} (${settingText(place.setting)}), by reads only`);
  const { lines, isWell } =
    profile.protocol === 'modbus' ? await readModbus(profile, place, signal) : await readSunspec(profile, place);
  for (const line of lines) console.log(line);
  console.log(isWell ? 'the meter fits this profile' : 'the meter does not fit this profile');
  return isWell;
}

/** Returns the place that the options name; null without one. Throws `StartError`. */
function placeOf({ serial }: MeterProfile, options: CheckOptions): Place | null {
  const { host, port = MODBUS_PORT, raw, path, baud = serial.baud, unit = serial.unit } = options;
  const refuse = (text: string) => new StartError(text);
  if (host !== undefined && path !== undefined) throw refuse('--host and --path: give one of them');
  const isTcp = host !== undefined && !raw;
  const [least, most] = isTcp ? [0, 255] : [1, 247];
  if (unit < least || unit > most) throw refuse(`--unit ${unit}: expected ${least} to ${most}`);
  if (host !== undefined) {
    if (port < 1 || port > 65_535) throw refuse(`--port ${port}: expected 1 to 65535`);
    return { target: { kind: 'network', host, port }, setting: { transport: raw ? 'rtu-over-tcp' : 'tcp' }, unit };
  }
  if (path === undefined) {
    const alone = (['port', 'raw', 'baud', 'parity', 'stopBits', 'unit'] as const).find((key) => key in options);
    if (alone) throw refuse('an option of a meter without its address: give --host or --path');
    return null;
  }
  const parity = (['none', 'even', 'odd'] as const).find((name) => name === (options.parity ?? serial.parity));
  if (!parity) throw refuse(`--parity ${options.parity}: expected none, even or odd`);
  const stopBits = options.stopBits ?? serial.stopBits;
  if (stopBits !== 1 && stopBits !== 2) throw refuse(`--stop-bits ${stopBits}: expected 1 or 2`);
  if (baud < 300 || baud > 1_000_000) throw refuse(`--baud ${baud}: expected 300 to 1000000`);
  return { target: { kind: 'serial', path }, setting: { transport: 'serial', baud, parity, stopBits }, unit };
}

interface Result {
  readonly lines: readonly string[];
  readonly isWell: boolean;
}

/** Sends each request of the profile once, and decodes what came. */
async function readModbus(profile: ModbusProfile, place: Place, signal: AbortSignal): Promise<Result> {
  const { target, setting, unit } = place;
  const line = await openLine(target, setting).catch((error: unknown) => {
    throw new StartError(`${placeText(place)}: ${describe(error)}`);
  });
  const quarantine = new ReplyQuarantine(USUAL_RULES);
  const framing = framerOf(setting, quarantine, randomInt(65_536));
  const clock = systemClock;
  const prober = new Prober({ line, speed: speedOf(setting), framing, quarantine, stats: new BusStats(), clock });
  const lines: string[] = [];
  const blocks: Block[] = [];
  try {
    if (setting.transport !== 'tcp') await prober.listen(LISTEN_MS, signal);
    const reader = new UnitProber(prober, clock, unit, INITIAL_WAIT_MS, 0);
    for (const { request } of checkedReads(profile)) {
      if (signal.aborted) throw new StartError('stopped');
      await sleep(clock, profile.limits.pauseMs);
      const { function: fn, address, count } = request;
      const reply = await reader.read({ fn, variants: [{ address, count }] });
      if (reply.what === 'data') blocks.push({ function: fn, address, data: reply.data });
      else lines.push(`function ${fn}, registers ${address} to ${address + count - 1}: ${replyText(reply)}`);
    }
  } finally {
    await line.close();
  }
  const sample = decodeSample(profile, blocks);
  const { against } = judgeProbe(profile, blocks);
  const faults = sample.faults.filter(({ what }) => what !== 'not-read').map(({ text }) => text);
  const probe = against.length === 0 ? 'the probe holds' : `the probe fails: ${against.join('; ')}`;
  const isWell = lines.length === 0 && against.length === 0 && faults.length === 0;
  return { lines: [...lines, ...valueLines(sample), ...faults, probe], isWell };
}

function replyText(reply: Exclude<Reply, { what: 'data' }>): string {
  if (reply.what === 'silence') return 'no answer';
  const meaning = EXCEPTION_TEXTS[reply.code];
  return `exception ${reply.code}${meaning === undefined ? '' : `, ${meaning}`}`;
}

const kwh = (wh: bigint) => `${wh / 1_000n}.${String(wh % 1_000n).padStart(3, '0')} kWh`;

/** Lists each value that was read, with its unit. */
function valueLines(sample: DecodedSample): string[] {
  const { importWh, exportWh, totalWh, powerW, voltageDv, frequencyChz } = sample;
  const said: readonly (string | null)[] = [
    importWh === null ? null : `import ${kwh(importWh)}`,
    exportWh === null ? null : `export ${kwh(exportWh)}`,
    totalWh === null ? null : `total ${kwh(totalWh)}`,
    powerW === null ? null : `power ${powerW} W`,
    voltageDv === null ? null : `voltage ${voltageDv / 10} V`,
    frequencyChz === null ? null : `frequency ${frequencyChz / 100} Hz`,
    ...(['serial', 'firmware', 'model'] as const).map((key) => (sample[key] === null ? null : `${key} ${sample[key]}`)),
  ];
  return said.filter((line) => line !== null);
}

/** Reads a SunSpec device as a poll does: it lists its registers itself. */
async function readSunspec(profile: SunspecProfile, place: Place): Promise<Result> {
  const { target, setting, unit } = place;
  const address =
    target.kind === 'network'
      ? { transport: setting.transport === 'tcp' ? 'tcp' : 'rtu-over-tcp', ...target, converter: false }
      : { path: target.path, ...setting };
  const bus = busAt({
    ...{ name: 'meter', address: address as Parameters<typeof busAt>[0]['address'], clock: systemClock },
    ...{ log: silentLogger, random: systemRandom, requestMs: 1_000, connectMs: 3_000, restMs: 0 },
    ...{ quarantine: new ReplyQuarantine(USUAL_RULES), timeoutMinMs: 20 },
  });
  const role = sunspecBills(profile).import ? Role.point : Role.production;
  const readingClock = MACHINE_CLOCK;
  const line = lineBy(profile, { unit, role, poll_seconds: 10 }, undefined, { bus, readingClock, clock: systemClock });
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        const sample = await line.reader.read();
        const serial = (await line.readSerial?.().catch(() => null)) ?? null;
        const notes = line.reader.notes().map((text) => `note: ${text}`);
        const lines = [...sampleLines(sample), ...(serial === null ? [] : [`serial ${serial}`]), ...notes];
        return { lines, isWell: true };
      } catch (error) {
        if (!(error instanceof ReadError)) throw error;
        if (attempt === TRIES) return { lines: [error.message], isWell: false };
        await sleep(systemClock, LISTEN_MS);
      }
    }
  } finally {
    await bus.close();
  }
}

function sampleLines({ importWh, exportWh, powerW, voltageDv, frequencyChz }: MeterSample): string[] {
  return [
    `import ${kwh(importWh)}`,
    `export ${kwh(exportWh)}`,
    ...(powerW === null ? [] : [`power ${powerW} W`]),
    ...(voltageDv === null ? [] : [`voltage ${voltageDv / 10} V`]),
    ...(frequencyChz === null ? [] : [`frequency ${frequencyChz / 100} Hz`]),
  ];
}

function placeText({ target }: Place): string {
  return target.kind === 'serial' ? target.path : `${target.host}:${target.port}`;
}
