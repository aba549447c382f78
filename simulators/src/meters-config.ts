import { addressSchema, type Fault, hostSchema, loadConfig, portSchema } from '@gridtokenx/runtime/node';
import { z } from 'zod';
import { MAX_INITIAL_WH } from './meter.js';
import { MODELS } from './models.js';
import { meterMapIds } from './profile-map.js';

const wh = z.union([z.int().nonnegative(), z.string().regex(/^\d{1,15}$/)]).transform((value) => BigInt(value));

const rate = z.number({ error: 'expected a probability' }).min(0).max(1);
const ms = z.number().min(0).max(3_600_000);
const range = z.tuple([ms, ms], { error: 'expected two times in ms, from and to' }).refine(([from, to]) => from <= to, {
  error: 'expected from <= to',
});
const unit = z.int().min(1).max(247);
const parity = z.enum(['none', 'even', 'odd']);

/** Faults of one meter. Probabilities are of an answer, 0 to 1; times are real ms. */
const faultsSchema = z.strictObject({
  /** The same seed gives the same faults. */
  seed: z.int().min(1).default(1),
  late: z.strictObject({ rate, ms: range }).optional(),
  copy: z.strictObject({ rate, within_ms: ms }).optional(),
  drop: rate.optional(),
  truncate: rate.optional(),
  glue: rate.optional(),
  corrupt: rate.optional(),
  exception: rate.optional(),
  wrong_unit: rate.optional(),
  echo: rate.optional(),
  restart: z.strictObject({ every_ms: ms.min(1_000), down_ms: ms, loses_wh: wh.default(0n) }).optional(),
  frozen_after_ms: ms.optional(),
  rollover_wh: wh.refine((value) => value >= 2n, { error: 'expected at least 2 Wh' }).optional(),
});

const models = new Set<string>([...MODELS, ...meterMapIds()]);

const common = {
  home: z.string().min(1),
  model: z.string().refine((id) => models.has(id), { error: `expected one of ${[...models].join(', ')}` }),
  unit,
  serial: z.int().min(1).max(0xffff_ffff),
  initial_import_wh: wh,
  initial_export_wh: wh,
  /** Range, ms. */
  turnaround_ms: range.optional(),
  /** Settings of its port; default: those of the profile's new meter. Over TCP they pace a meter. */
  line: z.strictObject({ baud: z.int().min(300).max(1_000_000), parity, stop_bits: z.literal([1, 2]) }).optional(),
  faults: faultsSchema.optional(),
};

const meterSchema = z.discriminatedUnion(
  'transport',
  [
    z.strictObject({
      transport: z.literal('tcp'),
      ...common,
      host: hostSchema.default('127.0.0.1'),
      port: portSchema,
      converter: z.boolean().default(false),
    }),
    z.strictObject({
      transport: z.literal('rtu-over-tcp'),
      ...common,
      host: hostSchema.default('127.0.0.1'),
      port: portSchema,
    }),
    z.strictObject({ transport: z.literal('pty'), ...common, pty: z.string().min(1) }),
  ],
  { error: 'expected tcp, rtu-over-tcp or pty' },
);

const ptySchema = z.strictObject({
  /** Path of the link that leads to the device. */
  link: z.string().min(1),
  /** Interval in which bytes are gathered and delivered together, ms. */
  gather_ms: ms.default(0),
  echo: z.boolean().default(false),
  /** Parity that the master is assumed to have set: a pty cannot show it. */
  master_parity: parity.optional(),
  second_master: z
    .strictObject({
      every_ms: ms.min(100),
      unit,
      function: z.literal([3, 4]),
      address: z.int().min(0).max(65_535),
      count: z.int().min(1).max(125),
    })
    .optional(),
});

const schema = z.strictObject({
  clock: z.string().min(1),
  profiles: z.string().min(1),
  meters: z.array(meterSchema).min(1),
  /** Serial buses by name. */
  ptys: z.record(z.string().min(1), ptySchema).default({}),
  http: addressSchema.optional(),
});

export type MetersConfig = z.output<typeof schema>;
export type MeterConfig = MetersConfig['meters'][number];
export type FaultsConfig = z.output<typeof faultsSchema>;

/** Reads the configuration of the simulated meters, JSON or YAML. Throws `ConfigError`. */
export function loadMetersConfig(path: string): MetersConfig {
  return loadConfig(path, schema, crossFaults);
}

/** Names the line that a meter is on. */
export const lineOf = (config: MeterConfig): string =>
  config.transport === 'pty' ? `pty ${config.pty}` : `${config.host}:${config.port}`;

/** Names the protocol of a meter's line. */
export const kindOf = (config: MeterConfig): string =>
  config.transport === 'tcp' && config.converter ? 'converter' : config.transport;

/** Finds faults between keys. */
function crossFaults({ meters, ptys }: MetersConfig): Fault[] {
  return meters.flatMap((meter, i) => [
    ...initialFaults(meter, i),
    ...busFaults(meter, i, Object.keys(ptys)),
    ...lineFaults(meter, i, meters.slice(0, i)),
  ]);
}

function initialFaults(meter: MeterConfig, i: number): Fault[] {
  const keys = ['initial_import_wh', 'initial_export_wh'] as const;
  return keys
    .filter((key) => meter[key] >= MAX_INITIAL_WH)
    .map((key) => ({ path: ['meters', i, key], message: `${meter[key]} Wh is not below 16,000 kWh` }));
}

function busFaults(meter: MeterConfig, i: number, known: readonly string[]): Fault[] {
  if (meter.transport !== 'pty' || known.includes(meter.pty)) return [];
  const advice = `there is: ${known.join(', ') || 'nothing'}`;
  return [{ path: ['meters', i, 'pty'], message: `no bus "${meter.pty}" under ptys`, advice }];
}

function lineFaults(meter: MeterConfig, i: number, before: readonly MeterConfig[]): Fault[] {
  const line = lineOf(meter);
  const others = before.filter((other) => lineOf(other) === line);
  if (others.some((other) => kindOf(other) !== kindOf(meter))) {
    return [{ path: ['meters', i, 'transport'], message: `${line}: one address, two transports` }];
  }
  if (others.some(({ unit }) => unit === meter.unit)) {
    return [{ path: ['meters', i, 'unit'], message: `${line}: two meters with unit ${meter.unit}` }];
  }
  return [];
}
