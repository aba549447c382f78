import {
  asMeterId,
  asWindow,
  type Enrolment,
  fromHex,
  Kind,
  type MeterId,
  Role,
  type Statement,
  type ToEncode,
  type Window,
} from '@gridtokenx/protocol';
import type { Clock, Logger } from '@gridtokenx/runtime/core';
import type { KeyStore, MeterKey } from '../adapters/keys/key-store.js';

import { contentOf, type SignedMessage } from '../domain/signed-message.js';
import { ConnectionPoint, type Fate, type Side } from '../domain/signing/connection-point.js';
import type { MeterJournal } from '../domain/signing/meter-journal.js';
import type { MeterState } from '../domain/signing/meter-state.js';
import type { RecoveredMeter } from '../domain/signing/recovery.js';
import type { GatewayConfig, MeterConfig, PointConfig } from './config.js';

/** A derived point of the configuration, with its key, its state, and the two meters that it derives from. */
export interface PlannedPoint {
  readonly config: PointConfig;
  readonly key: MeterKey;
  readonly state: MeterState;
  readonly meters: Readonly<Record<Side, { readonly id: MeterId; readonly config: MeterConfig }>>;
}

/** A planned point with everything that its disk holds. */
export interface SetUpPoint extends PlannedPoint {
  readonly journal: MeterJournal;
  readonly recovered: RecoveredMeter;
  readonly inputs: Readonly<Record<Side, readonly Statement[]>>;
}

/** A meter of the configuration with its key. */
export interface KeyedMeter {
  readonly config: MeterConfig;
  readonly key: MeterKey;
}

/** A derived point of the configuration with its key, and the two meters that it derives from. */
export type PointKey = Pick<PlannedPoint, 'config' | 'key' | 'meters'>;

/** Returns the key of a point; creates a missing one if `create`. Throws `KeyError`. */
export async function pointKey(
  point: PointConfig,
  keys: KeyStore,
  meters: readonly KeyedMeter[],
  create: boolean,
): Promise<PointKey> {
  const named = (name: string): KeyedMeter => {
    const meter = meters.find(({ config }) => config.name === name);
    if (!meter) throw new RangeError(`the configuration was not checked: there is no meter ${name}`);
    return meter;
  };
  const [production, consumption] = [named(point.production), named(point.consumption)];
  const key = await keys.point(point.name, production.key.meterId, consumption.key.meterId, create);
  const side = ({ config, key: { meterId } }: KeyedMeter) => ({ id: asMeterId(meterId), config });
  return { config: point, key, meters: { production: side(production), consumption: side(consumption) } };
}

/** Returns the keys of all points. Throws `KeyError`. */
export async function pointKeys(
  { points = [] }: GatewayConfig,
  keys: KeyStore,
  meters: readonly KeyedMeter[],
  create: boolean,
): Promise<PointKey[]> {
  const made: PointKey[] = [];
  for (const point of points) made.push(await pointKey(point, keys, meters, create));
  return made;
}

/** Returns, for each meter that a point derives from, the first window whose statement the point may still need. */
export function inputsFrom(points: readonly PlannedPoint[]): Map<MeterId, Window> {
  return new Map(
    points.flatMap(({ state, meters }) =>
      Object.values(meters).map(({ id }): [MeterId, Window] => [id, state.point?.window ?? asWindow(0)]),
    ),
  );
}

/** Builds the enrolment of a derived point. Its registers begin at zero, because it counts what it derives. */
export function pointEnrolment(
  config: GatewayConfig,
  point: SetUpPoint,
  seq: bigint,
  window: Window,
): ToEncode<Enrolment> {
  const { owner, zone, source } = point.meters.production.config;
  return {
    kind: Kind.enrolment,
    networkId: fromHex(config.network_id),
    meterId: point.key.meterId,
    seq,
    owner,
    importWh: 0n,
    exportWh: 0n,
    zone,
    source: point.config.source ?? source,
    role: Role.point,
    deviceSigned: false,
    keyEpoch: 0,
    window,
  };
}

/** Builds the point that runs. */
export function pointOf(
  found: SetUpPoint,
  fate: (meterId: MeterId, seq: bigint) => Fate,
  clock: Clock,
  logger: Logger,
): ConnectionPoint {
  const { config, journal, recovered, inputs, meters } = found;
  const named = ({ id, config: { name } }: { id: MeterId; config: MeterConfig }) => ({ id, name });
  return new ConnectionPoint({
    name: config.name,
    journal,
    recovered,
    inputs,
    meters: { production: named(meters.production), consumption: named(meters.consumption) },
    fate,
    clock,
    logger,
  });
}

/** Forwards each committed statement to the points that derive from its meter. */
export function pointFeed(points: readonly { point: ConnectionPoint; found: SetUpPoint }[]) {
  return (message: SignedMessage): void => {
    if (message.kind !== Kind.statement) return;
    const statement = contentOf(message);
    if (statement?.kind !== Kind.statement) return;
    for (const { point, found } of points)
      for (const side of ['production', 'consumption'] as const)
        if (found.meters[side].id === message.meterId) point.add(side, statement);
  };
}
