import { sha256 } from '@gridtokenx/protocol';
import { keyOf } from '@gridtokenx/testing-kit/chain/world';
import type { Keypair } from '@solana/web3.js';

const text = (value: string) => new TextEncoder().encode(value);
const keys = new Map<string, Keypair>();

/** Returns the key pair of a name, made once. */
export function named(name: string): Keypair {
  const found = keys.get(name) ?? keyOf(name);
  keys.set(name, found);
  return found;
}

const addresses = new Map<string, string>();
/** Returns the address of a name in base58, encoded once. */
export function addressOf(name: string): string {
  const found = addresses.get(name) ?? named(name).publicKey.toBase58();
  addresses.set(name, found);
  return found;
}

const digests = new Map<string, Uint8Array>();
function digest(name: string): Uint8Array {
  const found = digests.get(name) ?? sha256(text(name));
  digests.set(name, found);
  return found;
}

/** Returns the meter_id of a name; the same in every zone. */
export const idOf = (name: string): Uint8Array => digest(`meter/${name}`).subarray(0, 16);
/** Returns the commitment of a connection point; the same in every zone. */
export const commitmentOf = (name: string): Uint8Array => digest(`point/${name}`);

export const HOME = 7;
/** A second zone: its people attack the first zone, and the first zone's people attack it. */
export const NEXT = 8;
/** A zone that an episode may create. */
export const NEW = 9;

export const OWNERS = ['owner', 'neighbour', 'stranger'] as const;
export const utilityOf = (zone: number): string => `utility ${zone}`;
export const installerOf = (zone: number): string => `installer ${zone}`;
export const ATTESTORS: Readonly<Record<number, readonly string[]>> = {
  [HOME]: ['attestor 0', 'attestor 1', 'attestor 2'],
  [NEXT]: ['attestor 5', 'attestor 6', 'attestor 7'],
  [NEW]: ['attestor 8', 'attestor 9'],
};

/** People who may sign in another's place. */
export const PEOPLE: readonly string[] = [
  utilityOf(HOME),
  utilityOf(NEXT),
  installerOf(HOME),
  installerOf(NEXT),
  'operator',
  'authority',
  'upgrader',
  'attestor 0',
  ...OWNERS,
];
