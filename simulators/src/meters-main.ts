#!/usr/bin/env node
import { createServer, type Server } from 'node:http';
import { Command } from 'commander';
import { pino } from 'pino';
import { PtyError } from './line/pty.js';
import { type BuiltMeter, buildMeters, openLines, StartError } from './meters-build.js';
import { loadMetersConfig, type MetersConfig, MetersConfigError } from './meters-config.js';
import { takeFault } from './meters-faults.js';
import { ProfileError } from './profile.js';
import { MeterMapError } from './profile-map.js';

const log = pino({ name: 'meters' });

function serveHttp(config: MetersConfig, meters: readonly BuiltMeter[]): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url === '/faults' && request.method === 'POST') {
      takeFault(meters, request, response);
      return;
    }
    if (request.url !== '/healthz' && request.url !== '/') {
      response.writeHead(404).end();
      return;
    }
    const homes = meters.map(({ meter, home }) => {
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
  const lines = await openLines(config, meters);
  const http = config.http ? await serveHttp(config, meters) : null;
  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    http?.close();
    http?.closeAllConnections();
    await Promise.all(lines.map((line) => line.close()));
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
    error instanceof MeterMapError ||
    error instanceof PtyError ||
    isErrno(error);
  console.error(known ? (error as Error).message : error);
  process.exit(2);
});

function isErrno(error: unknown): boolean {
  return error instanceof RangeError || (error instanceof Error && 'code' in error);
}
