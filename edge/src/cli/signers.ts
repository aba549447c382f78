import { asMeterId, type MeterId, toHex } from '@gridtokenx/protocol';
import type { GatewayConfig } from '../wiring/config.js';
import { pointKeys } from '../wiring/points.js';
import { keyStore, plateOf, StartError } from '../wiring/setup.js';

/** A meter or a derived point of the configuration, with its public key. */
export interface NamedSigner {
  readonly name: string;
  readonly meterId: MeterId;
  readonly publicKey: Uint8Array;
}

/** Lists the meters and points of a configuration, meters first. Rejects with `KeyError` for a missing key. */
export async function signersOf(config: GatewayConfig): Promise<NamedSigner[]> {
  const keys = keyStore(config, { isSigning: false });
  const meters = [];
  for (const meter of config.meters)
    meters.push({ config: meter, key: await keys.meter(meter.name, plateOf(meter), false) });
  const points = await pointKeys(config, keys, meters, false);
  return [...meters, ...points].map(({ config: { name }, key }) => ({
    name,
    meterId: asMeterId(toHex(key.meterId)),
    publicKey: key.signer.publicKey,
  }));
}

/** Returns the signer of this name; without a name the only one. Throws `StartError` that lists the names. */
export function signerNamed(all: readonly NamedSigner[], name: string | undefined): NamedSigner {
  const names = all.map((one) => one.name).join(', ');
  const [only] = all;
  if (name === undefined && only && all.length === 1) return only;
  if (name === undefined) throw new StartError(`give --meter: the configuration has ${names}`);
  const found = all.find((one) => one.name === name);
  if (!found) throw new StartError(`there is no meter "${name}": the configuration has ${names}`);
  return found;
}
