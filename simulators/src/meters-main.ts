#!/usr/bin/env node
import { createServer, type Server } from 'node:http';
import { Command } from 'commander';
import { pino } from 'pino';
import { ClockFile } from './clock.js';
import { SimulatedMeter } from './meter.js';
import { loadMetersConfig, type MeterConfig, type MetersConfig, MetersConfigError } from './meters-config.js';
import type { ModbusUnit } from './modbus-frames.js';
import { ModbusServer } from './modbus-server.js';
import { loadProfiles, type Profile, ProfileError } from './profile.js';

const log = pino({ name: 'meters' });

/** What is wrong and what to do, for a person; exit code 2. */
class StartError extends Error {}

function profileOf(profiles: readonly Profile[], config: MeterConfig, path: string): Profile {
  const profile = profiles.find(({ home }) => home === config.home);
  if (!profile) {
    const known = profiles.map(({ home }) => home).join(', ');
    throw new StartError(`${path}: no home "${config.home}" in the profile; it has: ${known}`);
  }
  return profile;
}

function buildMeters(config: MetersConfig): { meter: SimulatedMeter; config: MeterConfig }[] {
  const position = new ClockFile(config.clock);
  const profiles = loadProfiles(config.profiles);
  return config.meters.map((entry) => {
    const meter = new SimulatedMeter({
      model: entry.model,
      serial: entry.serial,
      initialImportWh: entry.initial_import_wh,
      initialExportWh: entry.initial_export_wh,
      profile: profileOf(profiles, entry, config.profiles),
      position,
    });
    return { meter, config: entry };
  });
}

async function listen(meters: { meter: SimulatedMeter; config: MeterConfig }[]): Promise<ModbusServer[]> {
  const groups = new Map<string, { config: MeterConfig; units: Map<number, ModbusUnit> }>();
  for (const { meter, config } of meters) {
    const address = `${config.host}:${config.port}`;
    const group = groups.get(address) ?? { config, units: new Map<number, ModbusUnit>() };
    groups.set(address, group);
    if (group.config.transport !== config.transport) throw new StartError(`${address}: one address, two transports`);
    if (group.units.has(config.unit)) throw new StartError(`${address}: two meters with unit ${config.unit}`);
    group.units.set(config.unit, meter.unit);
  }
  const servers: ModbusServer[] = [];
  for (const [address, { config, units }] of groups) {
    const server = new ModbusServer(config.transport, units);
    await server.listen(config.host, config.port).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EADDRINUSE') {
        throw new StartError(
          `${address} is taken: stop what listens there, or choose another port for "${config.home}"`,
        );
      }
      throw new StartError(`${address}: cannot listen (${cause.message})`);
    });
    servers.push(server);
  }
  return servers;
}

function serveHttp(config: MetersConfig, meters: { meter: SimulatedMeter; config: MeterConfig }[]): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url !== '/healthz' && request.url !== '/') {
      response.writeHead(404).end();
      return;
    }
    const homes = meters.map(({ meter, config: { home } }) => {
      const { importWh, exportWh, powerW } = meter.values();
      return { home, import_wh: importWh.toString(), export_wh: exportWh.toString(), power_w: Math.round(powerW) };
    });
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ ok: true, homes }));
  });
  return new Promise((resolve, reject) => {
    const { host, port } = config.http ?? { host: '127.0.0.1', port: 0 };
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const what =
        cause.code === 'EADDRINUSE' ? 'is taken: choose another http.port' : `cannot listen (${cause.message})`;
      reject(new StartError(`${host}:${port} ${what}`));
    });
    server.listen({ host, port }, () => resolve(server));
  });
}

async function run(options: { config: string }): Promise<void> {
  const config = loadMetersConfig(options.config);
  const meters = buildMeters(config);
  const servers = await listen(meters);
  const http = config.http ? await serveHttp(config, meters) : null;
  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    http?.close();
    http?.closeAllConnections();
    await Promise.all(servers.map((server) => server.close()));
    process.exit(0);
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.once('disconnect', stop);
  log.info({ meters: meters.length }, 'simulated meters are listening');
  process.send?.({ type: 'ready' });
}

const program = new Command('gridtokenx-meters').description('simulated meters that speak Modbus');
program
  .command('run')
  .description('serve the meters of a configuration until stopped')
  .requiredOption('--config <file>', 'JSON: clock, profiles, meters')
  .action(run);
program.parseAsync().catch((error: unknown) => {
  const known =
    error instanceof MetersConfigError ||
    error instanceof ProfileError ||
    error instanceof StartError ||
    isErrno(error);
  console.error(known ? (error as Error).message : error);
  process.exit(2);
});

function isErrno(error: unknown): boolean {
  return error instanceof RangeError || (error instanceof Error && 'code' in error);
}
