import type { PublicKey } from '@solana/web3.js';
import { Reader } from './bytes.js';
import { accountDiscriminator } from './discriminators.js';
import { programIds, SLOTS_PER_PAGE } from './ids.js';

/** An account as every RPC client and simulator returns it. */
export interface RawAccount {
  readonly owner: PublicKey;
  readonly data: Uint8Array;
}

/** The account is not what it was taken for: another owner, type or size. Drop the read, do not retry it. */
export class AccountFormatError extends Error {
  override readonly name = 'AccountFormatError';
}

const SIZES = {
  Config: 200,
  Zone: 832,
  User: 120,
  Point: 96,
  Meter: 360,
  MeterPage: 8_288,
  TokenConfig: 168,
  LedgerPage: 14_400,
  Budget: 64,
  Dispute: 352,
} as const;

/** Sizes in bytes of all accounts, discriminator included. */
export const accountSizes: Readonly<Record<keyof typeof SIZES, number>> = SIZES;

function open(account: RawAccount, type: keyof typeof SIZES, owner: PublicKey): Reader {
  const { data } = account;
  if (!account.owner.equals(owner)) {
    throw new AccountFormatError(`${type}: owned by ${account.owner.toBase58()}, not by ${owner.toBase58()}`);
  }
  if (data.length !== SIZES[type]) {
    throw new AccountFormatError(`${type}: ${data.length} bytes instead of ${SIZES[type]}`);
  }
  const expected = accountDiscriminator(type);
  if (!expected.every((byte, index) => data[index] === byte)) {
    throw new AccountFormatError(`${type}: has another account's discriminator`);
  }
  return new Reader(data, 8);
}

export interface Config {
  readonly authority: PublicKey;
  readonly pendingAuthority: PublicKey;
  readonly salt: Uint8Array;
  readonly networkId: Uint8Array;
  readonly genesisHash: Uint8Array;
  readonly bump: number;
  readonly development: boolean;
}

/** The registry's Config; throws AccountFormatError. */
export function decodeConfig(account: RawAccount): Config {
  const r = open(account, 'Config', programIds.registry);
  return {
    authority: r.key(),
    pendingAuthority: r.key(),
    salt: r.bytes(16),
    networkId: r.bytes(8),
    genesisHash: r.bytes(32),
    bump: r.u8(),
    development: r.u8() === 1,
  };
}

export interface Zone {
  readonly zone: number;
  readonly bump: number;
  readonly threshold: number;
  readonly previousThreshold: number;
  readonly epoch: number;
  readonly changedWindow: number;
  readonly meterCount: number;
  readonly pageCount: number;
  readonly evidenceCount: number;
  /** Watts. */
  readonly capacityW: bigint;
  readonly utility: PublicKey;
  readonly attestors: readonly PublicKey[];
  readonly previousAttestors: readonly PublicKey[];
  /** W: what the meters that hold a slot can export together, limits and register steps. */
  readonly confirmedExportW: bigint;
  /** The set that comes into force 96 windows after `window`; null when none is announced. */
  readonly announced: {
    readonly attestors: readonly PublicKey[];
    readonly threshold: number;
    readonly window: number;
  } | null;
}

/** Throws AccountFormatError. */
export function decodeZone(account: RawAccount): Zone {
  const r = open(account, 'Zone', programIds.registry);
  const zone = r.u16();
  const bump = r.u8();
  const count = r.u8();
  const threshold = r.u8();
  const previousCount = r.u8();
  const previousThreshold = r.u8();
  r.skip(1);
  const [epoch, changedWindow, meterCount, pageCount, evidenceCount] = [r.u32(), r.u32(), r.u32(), r.u32(), r.u32()];
  r.skip(4);
  const capacityW = r.u64();
  const utility = r.key();
  const attestors = r.keys(7).slice(0, count);
  const previousAttestors = r.keys(7).slice(0, previousCount);
  const confirmedExportW = r.u64();
  const window = r.u32();
  const announcedCount = r.u8();
  const announcedThreshold = r.u8();
  r.skip(2);
  const announced = r.keys(7).slice(0, announcedCount);
  return {
    zone,
    bump,
    threshold,
    previousThreshold,
    epoch,
    changedWindow,
    meterCount,
    pageCount,
    evidenceCount,
    capacityW,
    utility,
    attestors,
    previousAttestors,
    confirmedExportW,
    announced: announcedCount === 0 ? null : { attestors: announced, threshold: announcedThreshold, window },
  };
}

export const UserRole = { owner: 1, installer: 2, utilityOperator: 3 } as const;
export type UserRole = (typeof UserRole)[keyof typeof UserRole];
/** Of a user and of a meter; a user is never closed, replaced or pending. */
export const Status = { active: 1, suspended: 2, closed: 3, replaced: 4, pending: 5 } as const;

export interface User {
  readonly wallet: PublicKey;
  readonly commitment: Uint8Array;
  readonly registeredWindow: number;
  readonly zone: number;
  readonly role: number;
  readonly status: number;
  readonly bump: number;
}

/** Throws AccountFormatError. */
export function decodeUser(account: RawAccount): User {
  const r = open(account, 'User', programIds.registry);
  return {
    wallet: r.key(),
    commitment: r.bytes(32),
    registeredWindow: r.u32(),
    zone: r.u16(),
    role: r.u8(),
    status: r.u8(),
    bump: r.u8(),
  };
}

export interface Point {
  readonly commitment: Uint8Array;
  /** The live meter of role point; 16 zero bytes when there is none. */
  readonly meterId: Uint8Array;
  readonly zone: number;
  readonly bump: number;
  /** Energy up to this window's end was counted by meters that have left; 0 when none has. */
  readonly countedWindow: number;
}

/** Throws AccountFormatError. */
export function decodePoint(account: RawAccount): Point {
  const r = open(account, 'Point', programIds.registry);
  const point = { commitment: r.bytes(32), meterId: r.bytes(16), zone: r.u16(), bump: r.u8() };
  r.skip(1);
  return { ...point, countedWindow: r.u32() };
}

export const NO_SLOT = 0xffff;

export interface Meter {
  readonly meterId: Uint8Array;
  readonly owner: PublicKey;
  readonly deviceKey: PublicKey;
  readonly previousKey: PublicKey;
  readonly point: PublicKey;
  readonly installer: PublicKey;
  readonly page: number;
  readonly zone: number;
  /** NO_SLOT for production and consumption meters, and for a meter that is pending. */
  readonly slot: number;
  readonly exportLimitW: number;
  readonly importLimitW: number;
  readonly registerStepWh: number;
  readonly enrolmentWindow: number;
  readonly firstValidWindow: number;
  readonly keyEpoch: number;
  readonly previousKeyLastWindow: number;
  readonly lastRotationWindow: number;
  readonly baselineImportWh: bigint;
  readonly baselineExportWh: bigint;
  readonly carriedImportWh: bigint;
  readonly carriedExportWh: bigint;
  readonly tariffClass: number;
  readonly alg: number;
  readonly signerLevel: 'gateway' | 'device';
  readonly role: number;
  readonly source: number;
  readonly status: number;
  readonly bump: number;
  /** meter_id of the meter that took the slot over; zero bytes when none did. */
  readonly successor: Uint8Array;
  /** meter_id of the meter whose slot this one took over; zero bytes when none. */
  readonly predecessor: Uint8Array;
  /** The last dispute whose verdict the utility accepted. */
  readonly acceptedDispute: number;
  /** Window (chain clock) of the utility's confirmation; 0 while it never confirmed. */
  readonly confirmedWindow: number;
  /** Statements for windows up to this one say nothing about the slot: they were made under another baseline. */
  readonly baselineWindow: number;
  /** First 16 bytes of SHA-256 of the enrolment's payload. */
  readonly enrolment: Uint8Array;
}

/** Throws AccountFormatError. Total of a register = carried + raw - baseline. */
export function decodeMeter(account: RawAccount): Meter {
  const r = open(account, 'Meter', programIds.registry);
  const meter = {
    meterId: r.bytes(16),
    owner: r.key(),
    deviceKey: r.key(),
    previousKey: r.key(),
    point: r.key(),
    installer: r.key(),
    page: r.u32(),
    zone: r.u16(),
    slot: r.u16(),
    exportLimitW: r.u32(),
    importLimitW: r.u32(),
    registerStepWh: r.u32(),
    enrolmentWindow: r.u32(),
    firstValidWindow: r.u32(),
    keyEpoch: r.u32(),
    previousKeyLastWindow: r.u32(),
    lastRotationWindow: r.u32(),
    baselineImportWh: r.u64(),
    baselineExportWh: r.u64(),
    carriedImportWh: r.u64(),
    carriedExportWh: r.u64(),
    tariffClass: r.u16(),
    alg: r.u8(),
    signerLevel: r.u8() === 1 ? 'device' : 'gateway',
    role: r.u8(),
    source: r.u8(),
    status: r.u8(),
    bump: r.u8(),
    successor: r.bytes(16),
    predecessor: r.bytes(16),
    acceptedDispute: r.u32(),
    confirmedWindow: r.u32(),
    baselineWindow: r.u32(),
  } as const;
  r.skip(4);
  return { ...meter, enrolment: r.bytes(16) };
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

export interface MeterSlot {
  readonly exportWh: bigint;
  readonly importWh: bigint;
  readonly window: number;
  /** Wh per window. */
  readonly exportCapWh: number;
  readonly importCapWh: number;
  readonly flags: number;
  /** Bitmap of the zone's attestors that signed the last accepted attest_page. */
  readonly attestors: number;
  readonly epoch: number;
}

export interface MeterPage {
  readonly version: bigint;
  readonly moves: number;
  readonly highestWindow: number;
  readonly lastRoot: Uint8Array;
  readonly history: Uint8Array;
  readonly page: number;
  readonly zone: number;
  readonly bump: number;
  readonly format: number;
  /** 256 slots. */
  readonly slots: readonly MeterSlot[];
}

/** Throws AccountFormatError. */
export function decodeMeterPage(account: RawAccount): MeterPage {
  const r = open(account, 'MeterPage', programIds.oracle);
  return {
    version: r.u64(),
    moves: r.u32(),
    highestWindow: r.u32(),
    lastRoot: r.bytes(32),
    history: r.bytes(32),
    page: r.u32(),
    zone: r.u16(),
    bump: r.u8(),
    format: r.u8(),
    slots: Array.from({ length: SLOTS_PER_PAGE }, () => ({
      exportWh: r.u64(),
      importWh: r.u64(),
      window: r.u32(),
      exportCapWh: r.u32(),
      importCapWh: r.u32(),
      flags: r.u16(),
      attestors: r.u8(),
      epoch: r.u8(),
    })),
  };
}

export const Verdict = { open: 0, deviceConvicted: 1, attestorsConvicted: 2 } as const;

/** A slot's latest case and its evidence. */
export interface Dispute {
  /** The slot when the dispute was opened. */
  readonly slotExportWh: bigint;
  readonly slotImportWh: bigint;
  /** From 1; one more for every dispute of the slot. */
  readonly number: number;
  /** Window (chain clock) of the opening. */
  readonly openedWindow: number;
  readonly slotWindow: number;
  readonly page: number;
  readonly zone: number;
  readonly slot: number;
  /** Bitmap of the attestors that the slot names; 0 when anyone moved it. */
  readonly attestors: number;
  readonly epoch: number;
  /** One of `Verdict`. */
  readonly verdict: number;
  readonly bump: number;
  readonly meterId: Uint8Array;
  readonly opener: PublicKey;
  /** The device key that signed the contradiction. */
  readonly key: PublicKey;
  /** 96 bytes: the contradicting statement. */
  readonly payload: Uint8Array;
  /** 96 bytes: the statement that answered; zero when none did. */
  readonly answer: Uint8Array;
}

/** Throws AccountFormatError. */
export function decodeDispute(account: RawAccount): Dispute {
  const r = open(account, 'Dispute', programIds.oracle);
  return {
    slotExportWh: r.u64(),
    slotImportWh: r.u64(),
    number: r.u32(),
    openedWindow: r.u32(),
    slotWindow: r.u32(),
    page: r.u32(),
    zone: r.u16(),
    slot: r.u16(),
    attestors: r.u8(),
    epoch: r.u8(),
    verdict: r.u8(),
    bump: r.u8(),
    meterId: r.bytes(16),
    opener: r.key(),
    key: r.key(),
    payload: r.bytes(96),
    answer: r.bytes(96),
  };
}

export interface TokenConfig {
  readonly mint: PublicKey;
  readonly vault: PublicKey;
  readonly vaultAuthority: PublicKey;
  readonly bump: number;
  readonly mintBump: number;
  readonly mintAuthorityBump: number;
}

/** Throws AccountFormatError. */
export function decodeTokenConfig(account: RawAccount): TokenConfig {
  const r = open(account, 'TokenConfig', programIds.energyToken);
  return {
    mint: r.key(),
    vault: r.key(),
    vaultAuthority: r.key(),
    bump: r.u8(),
    mintBump: r.u8(),
    mintAuthorityBump: r.u8(),
  };
}

export interface LedgerSlot {
  readonly mintedWh: bigint;
  readonly pooledWh: bigint;
  readonly retiredWh: bigint;
  readonly soldBackWh: bigint;
  readonly certifiedWh: bigint;
  /** Import at the last market close. */
  readonly importClosedWh: bigint;
  readonly destination: 'pool' | 'wallet';
}

export interface LedgerPage {
  readonly lostWh: bigint;
  readonly page: number;
  readonly zone: number;
  readonly bump: number;
  readonly format: number;
  /** 256 slots. */
  readonly slots: readonly LedgerSlot[];
}

/** Throws AccountFormatError, also for a ledger page whose second creation step is still to come. */
export function decodeLedgerPage(account: RawAccount): LedgerPage {
  const r = open(account, 'LedgerPage', programIds.energyToken);
  const header = { lostWh: r.u64(), page: r.u32(), zone: r.u16(), bump: r.u8(), format: r.u8() };
  r.skip(40);
  const slots = Array.from({ length: SLOTS_PER_PAGE }, (): LedgerSlot => {
    const slot = {
      mintedWh: r.u64(),
      pooledWh: r.u64(),
      retiredWh: r.u64(),
      soldBackWh: r.u64(),
      certifiedWh: r.u64(),
      importClosedWh: r.u64(),
    };
    const flags = r.u32();
    r.skip(4);
    return { ...slot, destination: (flags & 1) === 1 ? 'wallet' : 'pool' };
  });
  return { ...header, slots };
}

/** What a zone may mint: ⌈capacity · 0.25 h · 1.1⌉ · (newestWindow - fromWindow) Wh in all. */
export interface Budget {
  readonly mintedWh: bigint;
  readonly fromWindow: number;
  /** 0 before the first mint. */
  readonly newestWindow: number;
  readonly zone: number;
  readonly bump: number;
  readonly format: number;
}

/** Throws AccountFormatError. */
export function decodeBudget(account: RawAccount): Budget {
  const r = open(account, 'Budget', programIds.energyToken);
  return {
    mintedWh: r.u64(),
    fromWindow: r.u32(),
    newestWindow: r.u32(),
    zone: r.u16(),
    bump: r.u8(),
    format: r.u8(),
  };
}

/** Wh in a window at full power and a tenth: ⌈W · 0.25 h · 1.1⌉. */
export const windowWh = (watts: bigint): bigint => (watts * 11n + 39n) / 40n;

/** W that a meter takes of its zone's capacity: its limit, and what its register's step adds to each window. */
export const reservedW = (limitW: number, registerStepWh: number): bigint =>
  BigInt(limitW) + (BigInt(registerStepWh) * 40n + 10n) / 11n;
