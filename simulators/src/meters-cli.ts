import type { Logger } from '@gridtokenx/runtime/core';
import {
  type HealthView,
  jsonAnswer,
  type RunningHttp,
  runCli,
  runService,
  serveHttp,
  serviceLog,
} from '@gridtokenx/runtime/node';
import { type BuiltMeter, buildMeters, openLines } from './meters-build.js';
import { loadMetersConfig, type MetersConfig } from './meters-config.js';
import { faultsRoute } from './meters-faults.js';

/** Connections for the launcher, tests and campaigns. */
const CONNECTIONS = { connections: 64, perAddress: 64 } as const;

function healthOf(meters: readonly BuiltMeter[]): HealthView {
  const homes = meters.map(({ meter, home }) => {
    const { importWh, exportWh, powerW } = meter.values();
    return { home, import_wh: importWh.toString(), export_wh: exportWh.toString(), power_w: Math.round(powerW) };
  });
  return { ok: true, problems: [], homes };
}

async function servePage(
  http: MetersConfig['http'],
  meters: readonly BuiltMeter[],
  log: Logger,
): Promise<RunningHttp | null> {
  if (!http) return null;
  const health = () => healthOf(meters);
  const routes = { '/': { answer: () => jsonAnswer(200, health()) }, '/faults': faultsRoute(meters) };
  return serveHttp({ ...http, ...{ key: 'http.port', log, limits: CONNECTIONS, health, routes } });
}

/** Serves the meters of a configuration until it is stopped. Rejects with `OperatorError`. */
async function runMeters(path: string): Promise<void> {
  const config = loadMetersConfig(path);
  const log = serviceLog('meters');
  await runService('meters', log, async () => {
    const meters = buildMeters(config);
    const lines = await openLines(config, meters);
    const http = await servePage(config.http, meters, log);
    log.info({ event: 'meters_started', meters: meters.length }, 'Simulated meters started');
    return {
      stop: async () => {
        await http?.close();
        await Promise.all(lines.map((line) => line.close()));
      },
    };
  });
}

/** Runs the command line to its end. */
export function main(): Promise<void> {
  return runCli({
    name: 'gridtokenx-meters',
    description: 'simulated meters that speak Modbus',
    commands: (program) => {
      program
        .command('run')
        .description('serve the meters of a configuration until stopped')
        .requiredOption('--config <file>', 'JSON or YAML: clock, profiles, meters')
        .action(({ config }: { config: string }) => runMeters(config));
    },
  });
}
