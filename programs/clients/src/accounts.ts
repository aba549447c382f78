// Adds what the IDL cannot express: lists with a count, numbers that are names, bits that are flags. The rest is generated.
import { asWh, type Wh } from '@gridtokenx/protocol';
import type { PublicKey } from '@solana/web3.js';
import { atMost, type RawAccount } from './account.js';
import * as layouts from './generated/accounts/index.js';

export { AccountFormatError, type RawAccount } from './account.js';
export {
  type Budget,
  type Dispute,
  decodeBudget,
  decodeDispute,
  decodeMeterPage,
  decodePoint,
  decodeTokenConfig,
  decodeUser,
  type MeterPage,
  type MeterSlot,
  type Point,
  type TokenConfig,
  type User,
} from './generated/accounts/index.js';

/** Sizes in bytes of all accounts, discriminator included. */
export const accountSizes = {
  Config: layouts.CONFIG_BYTES,
  Zone: layouts.ZONE_BYTES,
  User: layouts.USER_BYTES,
  Point: layouts.POINT_BYTES,
  Meter: layouts.METER_BYTES,
  MeterPage: layouts.METER_PAGE_BYTES,
  TokenConfig: layouts.TOKEN_CONFIG_BYTES,
  LedgerPage: layouts.LEDGER_PAGE_BYTES,
  Budget: layouts.BUDGET_BYTES,
  Dispute: layouts.DISPUTE_BYTES,
} as const;

export interface Config extends Omit<layouts.Config, 'development'> {
  readonly development: boolean;
}

/** The registry's Config; throws AccountFormatError. */
export function decodeConfig(account: RawAccount): Config {
  const config = layouts.decodeConfig(account);
  return { ...config, development: atMost(1, config.development, 'Config: development') === 1 };
}

/** Keys that an attestor set has room for. */
const MAX_ATTESTORS = 7;

/** The keys of a set of `count`. */
const setOf = (keys: readonly PublicKey[], count: number, field: string) =>
  keys.slice(0, atMost(MAX_ATTESTORS, count, `Zone: ${field}`));

type AnnouncedFields = 'announcedWindow' | 'announcedCount' | 'announcedThreshold' | 'announcedAttestors';

/** `attestors` and `previousAttestors` have as many keys as the sets have. */
export interface Zone extends Omit<layouts.Zone, 'attestorCount' | 'previousCount' | AnnouncedFields> {
  /** The set that comes into force 96 windows after `window`; null when none is announced. */
  readonly announced: {
    readonly attestors: readonly PublicKey[];
    readonly threshold: number;
    readonly window: number;
  } | null;
}

/** Throws AccountFormatError. */
export function decodeZone(account: RawAccount): Zone {
  const fields = layouts.decodeZone(account);
  const { attestorCount, previousCount, announcedWindow, announcedCount, announcedThreshold, ...rest } = fields;
  const { announcedAttestors, attestors, previousAttestors, ...zone } = rest;
  const announced = {
    attestors: setOf(announcedAttestors, announcedCount, 'announced_count'),
    threshold: announcedThreshold,
    window: announcedWindow,
  };
  return {
    ...zone,
    attestors: setOf(attestors, attestorCount, 'attestor_count'),
    previousAttestors: setOf(previousAttestors, previousCount, 'previous_count'),
    announced: announcedCount === 0 ? null : announced,
  };
}

export const UserRole = { owner: 1, installer: 2, utilityOperator: 3 } as const;
export type UserRole = (typeof UserRole)[keyof typeof UserRole];
/** Of a user and of a meter; a user is never closed, replaced or pending. */
export const Status = { active: 1, suspended: 2, closed: 3, replaced: 4, pending: 5 } as const;

/** `slot` of production and consumption meters, and of a meter that is pending. */
export const NO_SLOT = 0xffff;

export interface Meter extends Omit<layouts.Meter, 'signerLevel' | 'maker'> {
  readonly signerLevel: 'gateway' | 'device';
}

/** Throws AccountFormatError. Total of a register = carried + raw - baseline. */
export function decodeMeter(account: RawAccount): Meter {
  const { maker: _, signerLevel, ...meter } = layouts.decodeMeter(account);
  const isDevice = atMost(1, signerLevel, 'Meter: signer_level') === 1;
  return { ...meter, signerLevel: isDevice ? 'device' : 'gateway' };
}

/** Bits of MeterSlot.flags. */
export const SlotFlag = {
  active: 1,
  disputed: 2,
  extra: 4,
  moved: 8,
  closed: 16,
  suspended: 32,
  submitted: 64,
} as const;

export const Verdict = { open: 0, deviceConvicted: 1, attestorsConvicted: 2 } as const;

export interface LedgerSlot extends Omit<layouts.LedgerSlot, 'flags'> {
  readonly destination: 'pool' | 'wallet';
}

export interface LedgerPage extends Omit<layouts.LedgerPage, 'slots'> {
  /** 256 slots. */
  readonly slots: readonly LedgerSlot[];
}

/** Throws AccountFormatError, also for a ledger page whose second creation step is still to come. */
export function decodeLedgerPage(account: RawAccount): LedgerPage {
  const page = layouts.decodeLedgerPage(account);
  const slots = page.slots.map(({ flags, ...slot }): LedgerSlot => {
    return { ...slot, destination: (flags & 1) === 1 ? 'wallet' : 'pool' };
  });
  return { ...page, slots };
}

/** Wh in a window at full power and a tenth: ⌈W · 0.25 h · 1.1⌉. */
export const windowWh = (watts: bigint): Wh => asWh((watts * 11n + 39n) / 40n);

/** W that a meter takes of its zone's capacity: its limit, and what its register's step adds to each window. */
export const reservedW = (limitW: number, registerStepWh: number): bigint =>
  BigInt(limitW) + (BigInt(registerStepWh) * 40n + 10n) / 11n;
