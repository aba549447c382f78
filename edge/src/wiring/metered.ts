import { Role } from '@gridtokenx/protocol';
import type { Metered } from '../domain/gateway.js';
import { Meter } from '../domain/metering/meter.js';
import type { SignedMessage } from '../domain/signed-message.js';
import type { GatewayConfig } from './config.js';
import type { Delivery } from './delivery.js';
import { pointFeed, pointOf } from './points.js';
import type { SetUp, SetUpMeter } from './setup.js';
import type { World } from './world.js';

/**
 * Holds all meters and points, and the function that forwards committed statements to the points that derive from them.
 */
export interface AllMetered {
  readonly all: readonly Metered[];
  readonly meters: readonly Meter[];
  readonly feed: (message: SignedMessage) => void;
}

export function meteredOf(config: GatewayConfig, found: SetUp, { fate }: Delivery, world: World): AllMetered {
  const points = found.points.map((point) => ({ found: point, point: pointOf(point, fate, world.clock, world.log) }));
  const meters = found.meters.map((meter) => meterOf(config, meter, world));
  return { all: [...meters, ...points.map(({ point }) => point)], meters, feed: pointFeed(points) };
}

function meterOf(config: GatewayConfig, found: SetUpMeter, world: World): Meter {
  const { config: meter, line, journal, recovered } = found;
  const { metrics: counters, frames } = world;
  const nearWh = recovered.lastGood?.importWh ?? 0n;
  return new Meter({
    ...world,
    name: meter.name,
    role: (Object.keys(Role) as (keyof typeof Role)[]).find((name) => Role[name] === meter.role) ?? 'point',
    profileName: line.profileName,
    journal,
    recovered,
    reader: line.reader,
    readSerial: line.readSerial,
    readProbe: line.readProbe,
    fallWindows: config.fall_windows,
    serial: meter.serial,
    limits: {
      importLimitW: meter.import_limit_w,
      exportLimitW: meter.export_limit_w,
      // Registers are rounded down: two readings may differ by one step more than the energy between them.
      get stepWh() {
        return 2 * Number(line.reader.stepWh(nearWh));
      },
    },
    // Time-outs are real time and a simulated clock's periods are not, so the two are not comparable.
    leastPeriod: () => (config.clock ? null : line.reader.leastPeriod()),
    keepFrames: () => frames.mark(meter.bus, meter.unit),
    plan: { pollMs: meter.poll_seconds * 1000, leadMs: config.boundary_lead_seconds * 1000 },
    logger: world.log,
    counters,
  });
}
