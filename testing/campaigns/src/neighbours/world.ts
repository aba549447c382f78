import { createHash } from 'node:crypto';
import { asPublicKeyText, asWindow, type Signer, toHex, type Verifier, windowStartAtMs } from '@gridtokenx/protocol';
import { meterOf } from '@gridtokenx/testing-kit/signed-journal';
import type { MeterRecord, Registry } from '#oracle/domain/ports.js';

export const NETWORK = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
/** The first window that is played; all homes were enrolled long before. */
export const INITIAL_WINDOW = asWindow(1_900_000);
export const ENROLLED = INITIAL_WINDOW - 600;
export const START_MS = windowStartAtMs(INITIAL_WINDOW);
/** Factor by which the clock that drives readings is faster than real time: a window takes 15 s. */
export const SPEED = 60;
export const WINDOW_REAL_MS = 900_000 / SPEED;
export const HOMES = 10;
/** The home that is hostile or unlucky. */
export const ODD = 0;
export const ZONE = 1;
/** Real time at the beginning. */
export const REAL_START_MS = 1_800_000_000_000;

/** Returns the real time at which the clock that drives readings reaches an instant. */
export function realTimeOf(readingMs: number): number {
  return REAL_START_MS + (readingMs - START_MS) / SPEED;
}
export function readingTimeOf(realMs: number): number {
  return START_MS + (realMs - REAL_START_MS) * SPEED;
}

/**
 * Keys whose signatures are hashes: the campaign tests order, time and amount, and runs thousands of seeds. A signature
 * of another key, or over other bytes, is as invalid as a forged one.
 */
const secrets = new Map<string, Uint8Array>();
function hashed(secret: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha512').update(secret).update(message).digest());
}
export function signerOf(number: number): Signer {
  const secret = new Uint8Array(32).fill(number + 1);
  const publicKey = new Uint8Array(createHash('sha256').update(secret).digest());
  secrets.set(toHex(publicKey), secret);
  return { publicKey, sign: (message) => hashed(secret, message) };
}
export const verifier: Verifier = {
  name: 'hash',
  verify(signature, message, publicKey) {
    const secret = secrets.get(toHex(publicKey));
    return secret !== undefined && Buffer.compare(hashed(secret, message), signature) === 0;
  },
};

export interface Home {
  readonly index: number;
  readonly gateway: Uint8Array;
  readonly signer: Signer;
  readonly record: MeterRecord;
}

/** Makes ten homes of one zone; `pages`: the number of pages that they share. */
export function makeHomes(pages: number): Home[] {
  return Array.from({ length: HOMES }, (_, index) => {
    const signer = signerOf(index);
    const record = meterOf(index + 1, {
      owner: asPublicKeyText(new Uint8Array(32).fill(200 + index)),
      key: signer.publicKey,
      zone: ZONE,
      page: index % pages,
      slot: Math.floor(index / pages),
      enrolmentWindow: asWindow(ENROLLED),
      firstWindow: asWindow(ENROLLED),
    });
    return { index, gateway: new Uint8Array(32).fill(100 + index), signer, record };
  });
}

/** Returns a registry that is always reachable and never changes. */
export function registryOf(homes: readonly Home[], nowMs: () => number): Registry {
  const records = homes.map(({ record }) => record);
  const byId = new Map(records.map((record) => [record.meterId, record]));
  return {
    get asOf() {
      // Read again every 3 s, as the oracle does; newer than all earlier messages.
      return { chainSlot: 1, fetchedAtMs: Math.ceil((nowMs() + 1) / 3_000) * 3_000 };
    },
    meter: (id) => byId.get(id),
    meters: () => records,
    refresh: async () => undefined,
  };
}
