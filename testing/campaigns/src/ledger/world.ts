import { asMeterId, asPublicKeyText, asWh, asWindow, type Signer, toHex, windowStartAtMs } from '@gridtokenx/protocol';
import { sodiumSigner } from '@gridtokenx/runtime/node/sodium';
import type { KeyJournal, Signed } from '@gridtokenx/testing-kit/key-log';
import { nameOf } from '@gridtokenx/testing-kit/key-log';
import { Random } from '@gridtokenx/testing-kit/random';
import type { MeterRecord } from '#oracle/domain/ports.js';

export const NETWORK = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
export const INITIAL_WINDOW = asWindow(1_900_000);
export const START_MS = windowStartAtMs(INITIAL_WINDOW);
export const DAY_MS = 86_400_000;

/** A message that one gateway puts into a packet. */
export interface Item {
  /** Hex of the short hash: names the message in verdicts. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** True for bytes that are no message of 171 bytes: a separate packet. */
  readonly isRaw: boolean;
  /** Index of the gateway that sends it, and of the meter in the topic. */
  readonly gateway: number;
  readonly meter: number;
  /** Index of the fact that is on chain before anyone sends this, or null. */
  readonly fact: number | null;
  /** Name of its stream (`streamName`); null for a message that no registered key signed for this meter. */
  readonly stream: string | null;
  readonly signed: Signed | null;
  /** Verdicts that are right for it whatever else is stored; null: only the comparison decides. */
  readonly allowed: readonly number[] | null;
  /** 'honest', or the kind of hostility. */
  readonly kind: string;
}

/** A change of the registry: this meter's record is on chain from now on. */
export interface Fact {
  readonly meter: number;
  readonly record: MeterRecord;
}

export interface Meter {
  readonly index: number;
  readonly gateway: number;
  readonly owner: Uint8Array;
  readonly signer: Signer;
  /** Its record at enrolment. */
  readonly record: MeterRecord;
  /** True when it is enrolled before the oracle starts; otherwise a fact enrols it. */
  readonly isKnown: boolean;
  /** True when it never spoils its own stream. */
  readonly isHonest: boolean;
  /** Window in which its key is rotated, or null. */
  readonly rotatesAt: number | null;
}

/** Required result of an honest meter's stream. */
export interface Truth {
  readonly meter: number;
  readonly stream: string;
  readonly lastSeq: bigint;
  /** Windows whose statement may be attested, with the meter's registers. */
  readonly windows: readonly WindowTruth[];
}

export interface WindowTruth {
  readonly window: number;
  readonly importWh: bigint;
  readonly exportWh: bigint;
}

export interface World {
  readonly seed: number;
  readonly shape: Shape;
  readonly gateways: readonly Uint8Array[];
  readonly meters: readonly Meter[];
  readonly facts: readonly Fact[];
  /** Meter by meter, each in the order of signing: the reference. */
  readonly items: readonly Item[];
  readonly truths: readonly Truth[];
  /** Records in force at the end, by meter id. */
  readonly registry: ReadonlyMap<string, MeterRecord>;
  /** Final time of the clock that drives readings, ms. */
  readonly finalAtMs: number;
}

/** Size of a seed. Each seed has 20 gateways; most days are short, so that a run can try thousands of orders. */
export interface Shape {
  readonly gateways: number;
  readonly windows: number;
  readonly readings: number;
  /** Share of hostile messages. */
  readonly hostile: number;
}

export const GATEWAYS = 20;
/** Maximum number of meters of an owner: the oracle tries as many other keys of an owner. */
const OWNERS = 5;

/**
 * Returns the shape of a seed. One seed in 200 is a whole day of 96 windows, and one in 25 is long. One in 20 has far
 * more hostile messages.
 */
export function shapeOf(seed: number): Shape {
  const random = new Random(seed, 'shape');
  const hostile = random.chance(0.05) ? 0.25 : 0.05;
  if (seed % 200 === 50) return { gateways: GATEWAYS, windows: 96, readings: 1, hostile: 0.05 };
  if (seed % 25 === 3) return { gateways: GATEWAYS, windows: random.int(8, 20), readings: random.int(1, 3), hostile };
  return { gateways: GATEWAYS, windows: random.int(2, 5), readings: random.int(1, 3), hostile };
}

const signers = new Map<number, Signer>();

/** Returns the same keys in every seed: making a key costs as much as signing. */
export function signerOf(number: number): Signer {
  const seed = new Uint8Array(32);
  new DataView(seed.buffer).setUint32(0, number + 1);
  const signer = signers.get(number) ?? sodiumSigner(seed);
  signers.set(number, signer);
  return signer;
}

export function gatewayKey(index: number): Uint8Array {
  return new Uint8Array(32).fill(100 + index);
}

export function streamName(meterId: string, key: Uint8Array): string {
  return `${meterId}/${toHex(key)}`;
}

/** Returns the meters of a seed: one behind each gateway, two behind some. */
export function makeMeters(shape: Shape, random: Random): Meter[] {
  const meters: Meter[] = [];
  for (let gateway = 0; gateway < shape.gateways; gateway++) {
    const count = random.chance(0.1) ? 2 : 1;
    for (let i = 0; i < count; i++) meters.push(makeMeter(meters.length, gateway, shape, random));
  }
  return meters;
}

function makeMeter(index: number, gateway: number, shape: Shape, random: Random): Meter {
  const owner = new Uint8Array(32).fill(200 + (index % OWNERS));
  const enrolmentWindow = INITIAL_WINDOW + (random.chance(0.2) ? 1 : 0);
  const signer = signerOf(index);
  const record: MeterRecord = {
    meterId: asMeterId(new Uint8Array(16).fill(index + 1)),
    owner: asPublicKeyText(owner),
    key: signer.publicKey,
    signer: random.chance(0.3) ? 'device' : 'gateway',
    role: 0,
    zone: 1 + (index % 3),
    page: 0,
    slot: index,
    importBaselineWh: asWh(BigInt(random.int(1_000, 9_000_000))),
    exportBaselineWh: asWh(BigInt(random.int(1_000, 9_000_000))),
    importCarriedWh: asWh(0n),
    exportCarriedWh: asWh(0n),
    exportLimitW: 10_000,
    importLimitW: 10_000,
    enrolmentWindow: asWindow(enrolmentWindow),
    firstWindow: asWindow(enrolmentWindow),
    keyEpoch: 0,
    source: 1,
    status: 'active',
    registerStepWh: 1,
  };
  return {
    index,
    gateway,
    owner,
    signer,
    record,
    isKnown: random.chance(0.7),
    isHonest: random.chance(0.6),
    rotatesAt: shape.windows >= 3 && random.chance(0.1) ? INITIAL_WINDOW + random.int(2, shape.windows - 1) : null,
  };
}

/** Returns a message of a meter's own log. */
export function itemOf(
  meter: Meter,
  log: KeyJournal,
  signed: Signed,
  kind: string,
  allowed: readonly number[] | null,
  fact: number | null = null,
): Item {
  return {
    name: nameOf(signed.hash),
    bytes: signed.message,
    isRaw: false,
    gateway: meter.gateway,
    meter: meter.index,
    fact,
    stream: streamName(log.record.meterId, log.signer.publicKey),
    signed,
    allowed,
    kind,
  };
}
