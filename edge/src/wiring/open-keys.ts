import { asMeterId, parseSign1, sigStructure, toHex, type Verifier } from '@gridtokenx/protocol';
import { KeyError, type KeyStore, type MeterKey } from '../adapters/keys/key-store.js';
import type { RecoveredMeter } from '../domain/signing/recovery.js';
import type { GatewayConfig, MeterConfig, PointConfig } from './config.js';
import { type KeyedMeter, type PointKey, pointKey } from './points.js';
import { StartError } from './start-error.js';

export interface OpenKeys {
  readonly meters: readonly KeyedMeter[];
  readonly points: readonly PointKey[];
  /** Says, of each meter and point whose key or profile cannot be used, why. The others run. */
  readonly faults: readonly string[];
}

export const plateOf = ({ manufacturer, model, serial }: MeterConfig) => ({ manufacturer, model, serial });

/** Opens the keys of all meters and points. `faultOf` says why a meter cannot run with any key; null where it can. */
export async function openKeys(
  { meters, points = [] }: GatewayConfig,
  keys: KeyStore,
  faultOf: (meter: MeterConfig) => string | null,
): Promise<OpenKeys> {
  const faults: string[] = [];
  const keyed: KeyedMeter[] = [];
  for (const config of meters) {
    const fault = faultOf(config);
    if (fault !== null) {
      faults.push(`${config.name} does not run: ${fault}`);
      continue;
    }
    const key = await usable(config.name, faults, keys.meter(config.name, plateOf(config), false));
    if (key) keyed.push({ config, key });
  }
  const found: PointKey[] = [];
  for (const point of points) {
    const point_ = await openPoint(point, keys, keyed, faults);
    if (point_) found.push(point_);
  }
  return { meters: keyed, points: found, faults };
}

async function openPoint(
  point: PointConfig,
  keys: KeyStore,
  keyed: readonly KeyedMeter[],
  faults: string[],
): Promise<PointKey | null> {
  const has = (name: string) => keyed.some(({ config }) => config.name === name);
  if (has(point.production) && has(point.consumption))
    return usable(point.name, faults, pointKey(point, keys, keyed, false));
  faults.push(`point ${point.name} does not run: a meter that it derives from does not`);
  return null;
}

/** Returns the key, or null where its file cannot be used. Rejects for a key that was never made. */
async function usable<T>(name: string, faults: string[], key: Promise<T>): Promise<T | null> {
  try {
    return await key;
  } catch (error) {
    // The operator mends a configuration that names no key of ours: that ends the start.
    if (error instanceof KeyError && !error.isDamage) throw error;
    faults.push(`${name} does not run: ${(error as Error).message}`);
    return null;
  }
}

/**
 * Throws for a key that was enrolled in another network: that network would refuse its messages, and its seqs would be
 * used up.
 */
export function checkNetwork({ enrolment }: RecoveredMeter, config: GatewayConfig, name: string): void {
  if (!enrolment) return;
  const enrolled = toHex(enrolment.payload.networkId);
  if (enrolled === config.network_id.toLowerCase()) return;
  throw new StartError(
    `meter ${name} is enrolled in network ${enrolled}, not ${config.network_id}: use another data_dir`,
  );
}

/** Says that another key signed the spool's enrolment, which is kept for good: the key file was replaced. Else null. */
export function foreignKey({ enrolment }: RecoveredMeter, key: MeterKey, name: string, verifier: Verifier) {
  if (!enrolment) return null;
  const { payload, signature } = parseSign1(enrolment.message.bytes);
  if (verifier.verify(signature, sigStructure(payload), key.signer.publicKey)) return null;
  return `${name} does not run: the key in ${key.file} did not enrol ${name}: restore the file from a backup of the data directory`;
}

export const idOf = ({ meterId }: MeterKey) => asMeterId(meterId);
