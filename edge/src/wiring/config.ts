import { publicKeyFromBase58, Role, Source } from '@gridtokenx/protocol';
import { brokerUrlSchema, type Fault, hostSchema, loadConfig, parseConfig, tlsSchema } from '@gridtokenx/runtime/node';
import { z } from 'zod';
import { profileFaults } from './profile-faults.js';

const port = z.int().min(1).max(65_535);
const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$/, 'expected letters, digits, ".", "_" or "-", at most 40');
const key = z.string().transform((text, context) => {
  try {
    return publicKeyFromBase58(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'expected a public key in base58' });
    return z.NEVER;
  }
});
const httpUrl = z.url({ protocol: /^https?$/, error: 'expected a URL such as http://127.0.0.1:18807' });
const path = z.string().min(1);
const watts = z.int().min(1).max(10_000_000);
const choice = <T extends Record<string, number>>(of: T) =>
  z.enum(Object.keys(of) as [string, ...string[]]).transform((text) => of[text] as T[keyof T]);

const overTcp = { name, host: hostSchema, port };
/** Time in which the line only listens after a start; default: as long as an answer to an earlier process may come. */
const rest = { rest_at_start_ms: z.int().min(0).max(600_000).optional() };
const bus = z.discriminatedUnion('transport', [
  /** `converter`: serial meters are behind the address, and a queue may mix their answers up. */
  z.strictObject({ transport: z.literal('tcp'), ...overTcp, ...rest, converter: z.boolean().default(false) }),
  z.strictObject({ transport: z.literal('rtu-over-tcp'), ...overTcp, ...rest }),
  z.strictObject({
    transport: z.literal('serial'),
    name,
    path: z.string().min(1),
    baud: z.int().min(300).max(1_000_000).default(9_600),
    parity: z.enum(['none', 'even', 'odd']).default('none'),
    stop_bits: z.union([z.literal(1), z.literal(2)]).default(1),
    ...rest,
  }),
]);

/** Units of meters on a line; the two that only Modbus TCP has beside them. */
const LAST_LINE_UNIT = 247;
const TCP_UNITS = [0, 255];

const meter = z.strictObject({
  name,
  manufacturer: z.string().min(1).max(64),
  model: z.string().min(1).max(64),
  serial: z.union([z.string().min(1).max(64), z.int().nonnegative().transform(String)]),
  profile: z.string().min(1).max(200),
  bus: name,
  /** 1 to 247; 0 and 255 on transport tcp only. */
  unit: z.int().min(0).max(255),
  /** The device answers under another unit than the one that was asked. */
  any_unit: z.boolean().optional(),
  poll_seconds: z.int().min(1).max(900).default(60),
  owner: key,
  zone: z.int().min(0).max(65_535),
  source: choice(Source).default(Source.none),
  role: choice(Role).default(Role.point),
  export_limit_w: watts,
  import_limit_w: watts,
});

/** A connection point that is derived from two meters. Owner and zone are those of its meters. */
const point = z.strictObject({ name, production: name, consumption: name, source: choice(Source).optional() });

const broker = z.strictObject({
  url: brokerUrlSchema,
  name: z.string().min(1).max(200),
  ca_file: path.optional(),
  /** The name in the broker's certificate, where it differs from the host of `url`. */
  server_name: z.string().min(1).max(253).optional(),
});

const schema = z.strictObject({
  network_id: z.string().regex(/^[0-9a-fA-F]{16}$/, 'expected 16 hexadecimal digits'),
  data_dir: z.string().min(1),
  name,
  /** Folder of the user's own profiles, beside the shipped ones. */
  profiles_dir: path.optional(),
  keys: z.strictObject({ passphrase_file: path.optional() }).optional(),
  /** A list of one; `brokers` takes several, the preferred one first. */
  broker: broker.optional(),
  brokers: z.array(broker).min(1).max(8).optional(),
  oracles: z.array(z.strictObject({ key, url: httpUrl.optional(), ca_file: path.optional() })).min(1),
  ack_threshold: z.int().min(1).default(1),
  clock: z.strictObject({ simulated: z.string().min(1) }).optional(),
  /** Lead of the last poll before each boundary, seconds of the clock that drives readings. */
  boundary_lead_seconds: z.number().min(1).max(60).default(5),
  /** Windows for which a fall of a register lasts before it is a discontinuity. */
  fall_windows: z.int().min(1).max(96).default(2),
  /** Bound of spool and raw frames together; default: 64 MiB, or 7 days at the configured rate where that is more. */
  spool_max_bytes: z
    .int()
    .min(1 << 20)
    .optional(),
  /** Time that readings wait for others before they are written together, ms, which spares a card. */
  commit_ms: z.int().min(0).max(10_000).default(200),
  request_timeout_ms: z.int().min(20).max(30_000).default(1_000),
  http: z.strictObject({ host: hostSchema, port, tls: tlsSchema.optional() }).optional(),
  buses: z.array(bus).min(1),
  meters: z.array(meter).min(1),
  points: z.array(point).min(1).optional(),
});

export type GatewayConfig = z.output<typeof schema>;
export type BusConfig = GatewayConfig['buses'][number];
export type MeterConfig = GatewayConfig['meters'][number];
export type PointConfig = NonNullable<GatewayConfig['points']>[number];
export type BrokerConfig = z.output<typeof broker>;
export type OracleConfig = GatewayConfig['oracles'][number];

/** Reads a configuration file (YAML or JSON). Throws `ConfigError`. */
export function loadGatewayConfig(file: string): GatewayConfig {
  return loadConfig(file, schema, crossFaults);
}

/**
 * Parses the text of a configuration; `file` is used in messages only. Throws `ConfigError` for the first fault, in
 * file order.
 */
export function parseGatewayConfig(text: string, file: string): GatewayConfig {
  return parseConfig(text, file, schema, crossFaults);
}

/** Finds faults between keys. */
function crossFaults(config: GatewayConfig): Fault[] {
  const faults: Fault[] = [];
  const twice = (list: readonly { name: string }[], key: string) => {
    for (const [i, entry] of list.entries()) {
      const first = list.findIndex((other) => other.name === entry.name);
      if (first < i) faults.push({ path: [key, i, 'name'], message: `the name "${entry.name}" is used twice` });
    }
  };
  twice(config.buses, 'buses');
  twice(config.meters, 'meters');
  for (const [i, meter] of config.meters.entries()) {
    if (!config.buses.some((bus) => bus.name === meter.bus)) {
      faults.push({ path: ['meters', i, 'bus'], message: `there is no bus "${meter.bus}"` });
    }
    const same = config.meters.findIndex((other) => other.bus === meter.bus && other.unit === meter.unit);
    if (same < i)
      faults.push({ path: ['meters', i, 'unit'], message: `unit ${meter.unit} on "${meter.bus}" is used twice` });
  }
  faults.push(...profileFaults(config), ...unitFaults(config), ...pointFaults(config));
  faults.push(...brokerFaults(config));
  const { oracles } = config;
  for (const [i, oracle] of oracles.entries()) {
    if (oracle.ca_file !== undefined && !oracle.url?.startsWith('https:'))
      faults.push({
        path: ['oracles', i, 'ca_file'],
        message: 'means nothing without TLS: write the url with https://',
      });
  }
  if (config.ack_threshold > config.oracles.length) {
    faults.push({ path: ['ack_threshold'], message: `${config.ack_threshold} of ${config.oracles.length} oracles` });
  }
  return faults;
}

/** Finds units that a line cannot have, and `any_unit` where only the unit identifies a meter. */
function unitFaults({ meters, buses }: GatewayConfig): Fault[] {
  return meters.flatMap((meter, i): Fault[] => {
    const bus = buses.find(({ name }) => name === meter.bus);
    if (!bus) return [];
    const faults: Fault[] = [];
    const { unit, any_unit: anyUnit } = meter;
    const isLine = unit >= 1 && unit <= LAST_LINE_UNIT;
    if (!isLine && (bus.transport !== 'tcp' || !TCP_UNITS.includes(unit)))
      faults.push({
        path: ['meters', i, 'unit'],
        message: `expected 1 to ${LAST_LINE_UNIT}, or 0 or 255 on a bus with transport: tcp`,
      });
    if (anyUnit && (bus.transport !== 'tcp' || bus.converter))
      faults.push({
        path: ['meters', i, 'any_unit'],
        message: `"${bus.name}" is no direct TCP device: only the unit distinguishes its meters`,
      });
    return faults;
  });
}

/** Returns the brokers of a configuration, the preferred one first. */
export function brokersOf({ broker, brokers = [] }: Pick<GatewayConfig, 'broker' | 'brokers'>): BrokerConfig[] {
  return broker ? [broker] : brokers;
}

/** Finds faults of the brokers: none or two forms of the list, and keys of TLS without it. */
function brokerFaults({ broker, brokers }: GatewayConfig): Fault[] {
  if (!broker && !brokers) return [{ path: ['broker'], message: 'is missing', code: 'missing-key', advice: 'add it' }];
  if (broker && brokers) return [{ path: ['brokers'], message: 'expected either broker or brokers' }];
  const listed = broker
    ? [{ path: ['broker'], entry: broker }]
    : (brokers ?? []).map((entry, i) => ({ path: ['brokers', i], entry }));
  return listed.flatMap(({ path: at, entry }) =>
    (['ca_file', 'server_name'] as const).flatMap((key) =>
      entry[key] === undefined || entry.url.startsWith('mqtts:')
        ? []
        : [{ path: [...at, key], message: 'means nothing without TLS: write the url with mqtts://' }],
    ),
  );
}

/** Finds faults between a derived point and its meters. */
function pointFaults({ points = [], meters }: GatewayConfig): Fault[] {
  const faults: Fault[] = [];
  for (const [i, point] of points.entries()) {
    const fault = (key: string, message: string) => faults.push({ path: ['points', i, key], message });
    const isTaken = [...meters, ...points.slice(0, i)].some(({ name }) => name === point.name);
    if (isTaken) fault('name', `the name "${point.name}" is used twice`);
    const sides = (['production', 'consumption'] as const).map((side) => {
      const meter = meters.find(({ name }) => name === point[side]);
      if (!meter) fault(side, `there is no meter "${point[side]}"`);
      else if (meter.role !== Role[side])
        fault(side, `meter "${meter.name}" has the role ${nameOf(Role, meter.role)}: expected one with role: ${side}`);
      const other = points.slice(0, i).find((before) => before[side] === point[side]);
      if (other) fault(side, `meter "${point[side]}" belongs to the point "${other.name}" already`);
      return meter;
    });
    const [production, consumption] = sides;
    if (!production || !consumption) continue;
    for (const key of ['owner', 'zone'] as const) {
      if (String(production[key]) === String(consumption[key])) continue;
      const both = `"${production.name}" and "${consumption.name}"`;
      fault('consumption', `meters ${both} differ in ${key}: a point has one`);
    }
  }
  return faults;
}

const nameOf = (names: Readonly<Record<string, number>>, value: number) =>
  Object.keys(names).find((name) => names[name] === value) ?? String(value);
