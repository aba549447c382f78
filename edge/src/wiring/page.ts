import { base58Encode } from '@gridtokenx/protocol';
import { htmlAnswer, jsonAnswer, type RunningHttp, serveHttp } from '@gridtokenx/runtime/node';
import { statusPage } from '../adapters/http/page.js';
import { busView } from '../domain/bus/messages.js';
import type { Uplink } from '../domain/delivery/uplink.js';
import type { Gateway, Metered } from '../domain/gateway.js';
import { sourceName } from '../domain/time/words.js';
import type { GatewayConfig } from './config.js';
import type { GatewayHealth } from './health.js';
import { livenessOf } from './live.js';
import type { SetUp } from './setup.js';
import { VERSION } from './version.js';
import type { World } from './world.js';

/** Connections for the installer's phone and a collector of metrics. */
const LIMITS = { connections: 50, perAddress: 16 };

export interface PageParts {
  readonly found: SetUp;
  readonly world: World;
  readonly gateway: Gateway;
  readonly metered: readonly Metered[];
  readonly uplink: Uplink;
  readonly health: GatewayHealth;
}

/** Builds the gateway's status: `GET /api/v1/status`, and its page. */
export function statusOf(config: GatewayConfig, parts: PageParts): Record<string, unknown> {
  const { found, world, gateway, metered, uplink, health } = parts;
  const { readingClock, frames, clock, verifier } = world;
  const { problems, conditions } = health.report();
  return {
    name: config.name,
    version: VERSION,
    gateway: base58Encode(found.gateway.publicKey),
    bound_to: found.boundTo,
    broker: { url: uplink.brokerUrl, online: uplink.online },
    clock: {
      now_ms: readingClock.nowMs(),
      uncertainty_ms: readingClock.uncertaintyMs(),
      simulated: config.clock !== undefined,
      source: sourceName(readingClock.source()),
      machine_ahead_ms: config.clock === undefined ? clock.nowMs() - readingClock.nowMs() : null,
    },
    verifier: verifier.name,
    spool: { depth: gateway.spoolDepth(), bytes: found.spool.bytes() },
    raw_frames: frames.dir,
    problems,
    conditions,
    meters: metered.map((meter) => ({ ...meter.view(), ...lineView(found, meter.name) })),
    buses: [...world.buses.values()].map((bus) => busView(bus, clock.monotonicMs())),
  };
}

/** Lists the newest further values of a meter; none for a point. */
function valuesOf(meter: Metered): [{ meter: string; value: string }, number][] {
  const { more_values: values } = meter.view() as { more_values?: Record<string, number> | null };
  const { time_ms: _time, ...named } = values ?? {};
  return Object.entries(named).map(([value, number]) => [{ meter: meter.id, value }, number]);
}

/** Describes what the line of a meter adds to its status; nothing for a derived point. */
function lineView({ meters }: SetUp, name: string): Record<string, unknown> {
  const line = meters.find(({ config }) => config.name === name)?.line;
  return line ? { notes: line.reader.notes() } : {};
}

/** Returns the shortest poll period, ms; null where no meter is enrolled, or polls follow a simulated clock. */
function pollMsOf(config: GatewayConfig, metered: readonly Pick<Metered, 'enrolled'>[]): number | null {
  if (config.clock || !metered.some(({ enrolled }) => enrolled)) return null;
  return 1_000 * Math.min(...config.meters.map((meter) => meter.poll_seconds));
}

/**
 * Shows gauges; serves page, status, health and metrics where there is an http section, else returns null. Rejects with
 * `OperatorError`.
 */
export async function servePage(config: GatewayConfig, parts: PageParts): Promise<RunningHttp | null> {
  const { found, world, gateway, metered, uplink, health } = parts;
  const { certificate, metrics, log, clock } = world;
  const startedAtMs = clock.monotonicMs();
  metrics.gauges(
    'meter_value',
    'Newest values that are never billed, in V, A, var, varh and degrees Celsius',
    ['meter', 'value'],
    () => metered.flatMap((meter) => valuesOf(meter)),
  );
  metrics.watch({
    spool_depth: () => gateway.spoolDepth(),
    spool_bytes: () => found.spool.bytes(),
    disk_written_bytes_day: () => world.writes.dayBytes,
    disk_syncs: () => world.writes.syncs,
    online: () => (uplink.online ? 1 : 0),
    problems: () => health.report().problems.length,
    ...(certificate ? { certificate_expiry_days: () => certificate.expiryDays } : {}),
  });
  if (!config.http) return null;
  const { host, port } = config.http;
  return serveHttp({
    host,
    port,
    key: 'http.port',
    log,
    limits: LIMITS,
    certificate,
    metrics,
    live: livenessOf({
      sinceMs: (...names) => metrics.sinceMs(...names),
      upMs: () => clock.monotonicMs() - startedAtMs,
      pollMs: () => pollMsOf(config, metered),
      spoolProblem: () => found.spool.problem(),
    }),
    health: () => {
      const { ok, problems } = health.report();
      return { ok, problems };
    },
    routes: {
      '/': { answer: () => htmlAnswer(statusPage(statusOf(config, parts))) },
      '/api/v1/status': { answer: () => jsonAnswer(200, statusOf(config, parts)) },
    },
  });
}
