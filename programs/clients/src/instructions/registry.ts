import { type PublicKey, SYSVAR_INSTRUCTIONS_PUBKEY, SystemProgram, TransactionInstruction } from '@solana/web3.js';
import { Status, type UserRole } from '../accounts.js';
import { Writer } from '../bytes.js';
import { instructionDiscriminator } from '../discriminators.js';
import { programIds } from '../ids.js';
import { pda } from '../pda.js';
import { readonly, signer, writable, writableSigner } from './metas.js';

const start = (name: string) => new Writer().raw(instructionDiscriminator(name));
const system = readonly(SystemProgram.programId);

/** Config, once per deployment. `upgradeAuthority` is the key that the program's ProgramData account names. */
export function initialize(args: {
  upgradeAuthority: PublicKey;
  payer: PublicKey;
  authority: PublicKey;
  /** 32 bytes: base58 decoded getGenesisHash. */
  genesisHash: Uint8Array;
  /** 16 random bytes. */
  salt: Uint8Array;
  development: boolean;
}): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.registry,
    keys: [
      signer(args.upgradeAuthority),
      writableSigner(args.payer),
      writable(pda.config()),
      readonly(programIds.registry),
      readonly(pda.programData(programIds.registry)),
      system,
    ],
    data: start('initialize')
      .key(args.authority)
      .fixed(args.genesisHash, 32, 'genesis hash')
      .fixed(args.salt, 16, 'salt')
      .bool(args.development)
      .done(),
  });
}

export function createZone(args: {
  authority: PublicKey;
  payer: PublicKey;
  zone: number;
  utility: PublicKey;
  /** Watts. */
  capacityW: bigint;
}): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.registry,
    keys: [
      signer(args.authority),
      writableSigner(args.payer),
      readonly(pda.config()),
      writable(pda.zone(args.zone)),
      system,
    ],
    data: start('create_zone').u16(args.zone).key(args.utility).u64(args.capacityW).done(),
  });
}

/** 1 to 7 distinct keys; the order gives the bits of the signer bitmap. A zone's first set is in force at once. */
export function announceAttestors(args: {
  authority: PublicKey;
  zone: number;
  threshold: number;
  attestors: readonly PublicKey[];
}): TransactionInstruction {
  const data = start('announce_attestors').u8(args.threshold).u32(args.attestors.length);
  for (const key of args.attestors) data.key(key);
  return new TransactionInstruction({
    programId: programIds.registry,
    keys: [signer(args.authority), readonly(pda.config()), writable(pda.zone(args.zone))],
    data: data.done(),
  });
}

/** Anyone, 96 windows after the announcement. */
export function installAttestors(args: { zone: number }): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.registry,
    keys: [writable(pda.zone(args.zone))],
    data: start('install_attestors').done(),
  });
}

/** `signers`: the zone's utility alone, or attestors of the set in force, at least their threshold. */
export function cancelAttestors(args: { zone: number; signers: readonly PublicKey[] }): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.registry,
    keys: [writable(pda.zone(args.zone)), ...args.signers.map((key) => signer(key))],
    data: start('cancel_attestors').done(),
  });
}

/** `authority` is the zone's utility or Config.authority. */
export function registerUser(args: {
  authority: PublicKey;
  payer: PublicKey;
  zone: number;
  wallet: PublicKey;
  /** 32 bytes. */
  commitment: Uint8Array;
  role: UserRole;
}): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.registry,
    keys: [
      signer(args.authority),
      writableSigner(args.payer),
      readonly(pda.config()),
      readonly(pda.zone(args.zone)),
      writable(pda.user(args.zone, args.wallet)),
      system,
    ],
    data: start('register_user').key(args.wallet).fixed(args.commitment, 32, 'commitment').u8(args.role).done(),
  });
}

/**
 * Must come directly after the Ed25519 verification of the enrolment message (`signedMessageVerification`). `meterId`, `owner`
 * and `zone` are those of the message; the program compares. The owner must be a registered user of the zone. The record waits for
 * `confirmMeter`.
 */
export function registerMeter(args: {
  /** The zone's utility, or an installer or utility operator of the zone. */
  authority: PublicKey;
  /** True when `authority` is the zone's utility itself, which needs no User account. */
  authorityIsUtility: boolean;
  payer: PublicKey;
  zone: number;
  meterId: Uint8Array;
  owner: PublicKey;
  /** 32 bytes. */
  pointCommitment: Uint8Array;
}): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.registry,
    keys: [
      signer(args.authority),
      writableSigner(args.payer),
      readonly(pda.config()),
      readonly(pda.zone(args.zone)),
      readonly(args.authorityIsUtility ? programIds.registry : pda.user(args.zone, args.authority)),
      readonly(pda.user(args.zone, args.owner)),
      writable(pda.point(args.zone, args.pointCommitment)),
      writable(pda.meter(args.zone, args.meterId)),
      readonly(SYSVAR_INSTRUCTIONS_PUBKEY),
      system,
    ],
    data: start('register_meter').fixed(args.pointCommitment, 32, 'point commitment').done(),
  });
}

/** The utility's word about a meter. */
export interface MeterLimits {
  /** W; the sum over a zone stays within its capacity. */
  readonly exportLimitW: number;
  /** W. */
  readonly importLimitW: number;
  /** Resolution of the registers, at most 1,000 Wh. */
  readonly registerStepWh: number;
  /** 0 to 15. */
  readonly tariffClass: number;
  /** Whether the utility accepts that the device signs for itself, which its enrolment must claim. */
  readonly deviceSigned: boolean;
}

const writeLimits = (data: Writer, limits: MeterLimits): Writer =>
  data
    .u32(limits.exportLimitW)
    .u32(limits.importLimitW)
    .u32(limits.registerStepWh)
    .u16(limits.tariffClass)
    .bool(limits.deviceSigned);

/**
 * The utility lets a registered meter speak. It names the key and the enrolment that it looked at: a record that was registered anew
 * since is refused.
 */
export function confirmMeter(
  args: {
    utility: PublicKey;
    zone: number;
    meterId: Uint8Array;
    /** Address of the meter's Point. */
    point: PublicKey;
    deviceKey: PublicKey;
    /** First 16 bytes of SHA-256 of the enrolment's payload. */
    enrolment: Uint8Array;
  } & MeterLimits,
): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.registry,
    keys: [
      signer(args.utility),
      writable(pda.zone(args.zone)),
      writable(pda.meter(args.zone, args.meterId)),
      writable(args.point),
    ],
    data: writeLimits(start('confirm_meter').key(args.deviceKey).fixed(args.enrolment, 16, 'enrolment'), args).done(),
  });
}

/**
 * Directly after the verification of the new key's enrolment message, before which stands the old key's verification of the same
 * message, or, in recovery, nothing, and `recoveryAuthority` (Config.authority) signs.
 */
export function rotateKey(args: {
  utility: PublicKey;
  recoveryAuthority?: PublicKey;
  zone: number;
  /** Of the meter's slot; undefined for a meter without one. */
  page: number | undefined;
  meterId: Uint8Array;
}): TransactionInstruction {
  const { recoveryAuthority: authority, page } = args;
  return new TransactionInstruction({
    programId: programIds.registry,
    keys: [
      signer(args.utility),
      authority ? signer(authority) : readonly(programIds.registry),
      readonly(pda.config()),
      readonly(pda.zone(args.zone)),
      readonly(page === undefined ? programIds.registry : pda.meterPage(args.zone, page)),
      writable(pda.meter(args.zone, args.meterId)),
      readonly(SYSVAR_INSTRUCTIONS_PUBKEY),
    ],
    data: start('rotate_key')
      .bool(authority !== undefined)
      .done(),
  });
}

/**
 * Directly after the verification of the new meter's enrolment message. The old meter is suspended, and so is its slot, whose totals
 * the new record carries.
 */
export function replaceMeter(
  args: {
    utility: PublicKey;
    payer: PublicKey;
    zone: number;
    page: number;
    oldMeterId: Uint8Array;
    meterId: Uint8Array;
    /** Address of the old meter's Point. */
    point: PublicKey;
  } & MeterLimits,
): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.registry,
    keys: [
      signer(args.utility),
      writableSigner(args.payer),
      readonly(pda.config()),
      writable(pda.zone(args.zone)),
      readonly(pda.meterPage(args.zone, args.page)),
      writable(pda.meter(args.zone, args.oldMeterId)),
      writable(pda.meter(args.zone, args.meterId)),
      writable(args.point),
      readonly(SYSVAR_INSTRUCTIONS_PUBKEY),
      system,
    ],
    data: writeLimits(start('replace_meter'), args).done(),
  });
}

/**
 * Suspends, closes or reactivates a meter; `sync_slot` (or `conclude_dispute`) then brings it to the slot. Reactivation must come
 * directly after the Ed25519 verification of a statement by the meter's present key, unless the slot was never active. `dispute`
 * goes with 'active' and 'suspended': it accepts the verdict.
 */
export function setStatus(args: {
  utility: PublicKey;
  zone: number;
  meterId: Uint8Array;
  /** Address of the meter's Point. */
  point: PublicKey;
  /** Of the meter's slot; undefined for a meter without one. */
  page: number | undefined;
  /** The slot's case, when it is disputed. */
  dispute?: PublicKey;
  status: 'active' | 'suspended' | 'closed';
}): TransactionInstruction {
  const { page, status } = args;
  return new TransactionInstruction({
    programId: programIds.registry,
    keys: [
      signer(args.utility),
      writable(pda.zone(args.zone)),
      writable(pda.meter(args.zone, args.meterId)),
      writable(args.point),
      readonly(page === undefined ? programIds.registry : pda.meterPage(args.zone, page)),
      readonly(args.dispute ?? programIds.registry),
      readonly(pda.config()),
      readonly(SYSVAR_INSTRUCTIONS_PUBKEY),
    ],
    data: start('set_status').u8(Status[status]).done(),
  });
}
