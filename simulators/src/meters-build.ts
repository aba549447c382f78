import { OperatorError } from '@gridtokenx/runtime/core';
import { listenError, nodeClockFile, SimulatedClockFile, systemClock } from '@gridtokenx/runtime/node';
import { profilePosition } from './clock.js';
import { seededChance, whole } from './line/chance.js';
import { AnswerFaults, type FaultRates } from './line/faults.js';
import type { LineMeter, LineSettings, SecondMaster } from './line/meter-line.js';
import { startPtyBus } from './line/pty-bus.js';
import { faultTimes } from './line/simulate.js';
import { MeterUpsets, type UpsetPlan } from './line/upsets.js';
import { SimulatedMeter } from './meter.js';
import { type FaultsConfig, kindOf, lineOf, type MeterConfig, type MetersConfig } from './meters-config.js';
import { ModbusServer } from './modbus-server.js';
import { loadProfiles, type Profile } from './profile.js';
import { loadMeterMap } from './profile-map.js';

/** A meter of the configuration, ready for its line. */
export interface BuiltMeter {
  readonly home: string;
  readonly config: MeterConfig;
  readonly meter: SimulatedMeter;
  readonly line: LineMeter & { readonly faults: AnswerFaults };
  readonly upsets: MeterUpsets;
}

/** A line that listens. */
export interface OpenedLine {
  close(): Promise<void>;
}

const PROMPT_MS = [0, 0] as const;
const SERIAL_MS = [20, 20] as const;

/**
 * Builds the meters of a configuration. Throws `OperatorError`, or the system's error for a profile that cannot be
 * read.
 */
export function buildMeters(config: MetersConfig): BuiltMeter[] {
  const position = profilePosition(new SimulatedClockFile(config.clock, systemClock, nodeClockFile), systemClock);
  const profiles = loadProfiles(config.profiles);
  return config.meters.map((entry) => {
    const { home, faults } = entry;
    let upsets: MeterUpsets | null = null;
    const meter = new SimulatedMeter({
      model: entry.model,
      serial: entry.serial,
      initialImportWh: entry.initial_import_wh,
      initialExportWh: entry.initial_export_wh,
      profile: profileOf(profiles, entry, config.profiles),
      position,
      shown: (values) => {
        const inside = new MeterUpsets(values, upsetPlan(faults), systemClock);
        upsets = inside;
        return () => inside.values();
      },
    });
    const inside = upsets as MeterUpsets | null;
    if (!inside) throw new Error('a meter without registers');
    return { home, config: entry, meter, upsets: inside, line: lineMeter(entry, meter, inside) };
  });
}

function profileOf(profiles: readonly Profile[], config: MeterConfig, file: string): Profile {
  const profile = profiles.find(({ home }) => home === config.home);
  if (!profile) {
    const known = profiles.map(({ home }) => home).join(', ');
    const problem = `no home "${config.home}" in the profile`;
    throw new OperatorError({ code: 'unknown-home', file, problem, advice: `it has: ${known}` });
  }
  return profile;
}

function lineMeter(config: MeterConfig, meter: SimulatedMeter, upsets: MeterUpsets): BuiltMeter['line'] {
  const { transport, faults, line } = config;
  const chance = seededChance((faults?.seed ?? 1) * 256 + config.unit);
  const [from, to] = config.turnaround_ms ?? (transport === 'pty' ? SERIAL_MS : PROMPT_MS);
  const stated: LineSettings | null = line ? { baud: line.baud, parity: line.parity, stopBits: line.stop_bits } : null;
  return {
    unit: config.unit,
    registers: meter.unit,
    settings: stated ?? (transport === 'pty' ? loadMeterMap(config.model).settings : null),
    turnaroundMs: () => whole(chance, from, to),
    faults: new AnswerFaults({
      chance,
      rates: ratesOf(faults),
      times: faultTimes({ late: faults?.late?.ms ?? [300, 2_000], copyWithin: faults?.copy?.within_ms ?? 300 }),
    }),
    isDown: () => upsets.isDown(),
  };
}

function ratesOf(faults: FaultsConfig | undefined): FaultRates {
  if (!faults) return {};
  const { late, copy, drop, truncate, glue, corrupt, exception, wrong_unit, echo } = faults;
  const rates = {
    late: late?.rate,
    copy: copy?.rate,
    drop,
    truncate,
    glue,
    corrupt,
    exception,
    wrongUnit: wrong_unit,
    echo,
  };
  return Object.fromEntries(Object.entries(rates).filter(([, rate]) => rate !== undefined));
}

function upsetPlan(faults: FaultsConfig | undefined): UpsetPlan {
  const { restart, frozen_after_ms, rollover_wh } = faults ?? {};
  return {
    ...(restart ? { restart: { everyMs: restart.every_ms, downMs: restart.down_ms, losesWh: restart.loses_wh } } : {}),
    ...(frozen_after_ms === undefined ? {} : { frozenAfterMs: frozen_after_ms }),
    ...(rollover_wh === undefined ? {} : { rolloverWh: rollover_wh }),
  };
}

/** Puts the meters on their lines. Rejects with `OperatorError`; lines that are open by then end with the process. */
export async function openLines(config: MetersConfig, meters: readonly BuiltMeter[]): Promise<OpenedLine[]> {
  const lines: OpenedLine[] = [];
  for (const group of Map.groupBy(meters, (built) => lineOf(built.config)).values()) {
    lines.push(await openLine(config, group));
  }
  return lines;
}

async function openLine(config: MetersConfig, group: readonly BuiltMeter[]): Promise<OpenedLine> {
  const [first] = group;
  if (!first) throw new Error('a line without meters');
  const lines = group.map(({ line }) => line);
  if (first.config.transport === 'pty') return openBus(config, first.config.pty, lines);
  const { transport, host, port } = first.config;
  const server = new ModbusServer(transport, lines, { converter: kindOf(first.config) === 'converter' });
  await server.listen(host, port).catch((error: unknown) => {
    throw listenError(error, `port of "${first.home}"`, { host, port });
  });
  return server;
}

function openBus(config: MetersConfig, name: string, meters: readonly LineMeter[]): OpenedLine {
  const pty = config.ptys[name];
  if (!pty) throw new Error(`no bus ${name}: the configuration was not checked`);
  const second = pty.second_master;
  const secondMaster: SecondMaster | null = second
    ? { everyMs: second.every_ms, unit: second.unit, fn: second.function, address: second.address, count: second.count }
    : null;
  return startPtyBus({
    meters,
    link: pty.link,
    gatherMs: pty.gather_ms,
    echo: pty.echo,
    masterParity: () => pty.master_parity ?? null,
    ...(secondMaster ? { secondMaster } : {}),
  });
}
