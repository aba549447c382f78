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

/** 1 to 7 distinct keys; the order gives the bits of the signer bitmap. */
export function setZoneAttestors(args: {
  authority: PublicKey;
  zone: number;
  threshold: number;
  attestors: readonly PublicKey[];
}): TransactionInstruction {
  const data = start('set_zone_attestors').u8(args.threshold).u32(args.attestors.length);
  for (const key of args.attestors) data.key(key);
  return new TransactionInstruction({
    programId: programIds.registry,
    keys: [signer(args.authority), readonly(pda.config()), writable(pda.zone(args.zone))],
    data: data.done(),
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
      writable(pda.user(args.wallet)),
      system,
    ],
    data: start('register_user').key(args.wallet).fixed(args.commitment, 32, 'commitment').u8(args.role).done(),
  });
}

/**
 * Must come directly after the Ed25519 verification of the enrolment message (`signedMessageVerification`). `meterId`, `owner`
 * and `zone` are those of the message; the program compares. The owner must be a registered user.
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
  exportLimitW: number;
  importLimitW: number;
  registerStepWh: number;
  tariffClass: number;
}): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.registry,
    keys: [
      signer(args.authority),
      writableSigner(args.payer),
      readonly(pda.config()),
      writable(pda.zone(args.zone)),
      readonly(args.authorityIsUtility ? programIds.registry : pda.user(args.authority)),
      readonly(pda.user(args.owner)),
      writable(pda.point(args.zone, args.pointCommitment)),
      writable(pda.meter(args.meterId)),
      readonly(SYSVAR_INSTRUCTIONS_PUBKEY),
      system,
    ],
    data: start('register_meter')
      .fixed(args.pointCommitment, 32, 'point commitment')
      .u32(args.exportLimitW)
      .u32(args.importLimitW)
      .u32(args.registerStepWh)
      .u16(args.tariffClass)
      .done(),
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
      writable(pda.meter(args.meterId)),
      readonly(SYSVAR_INSTRUCTIONS_PUBKEY),
    ],
    data: start('rotate_key')
      .bool(authority !== undefined)
      .done(),
  });
}

/** Directly after the verification of the new meter's enrolment message. The old meter is suspended, and so is its slot. */
export function replaceMeter(args: {
  utility: PublicKey;
  payer: PublicKey;
  zone: number;
  page: number;
  oldMeterId: Uint8Array;
  meterId: Uint8Array;
  /** Address of the old meter's Point. */
  point: PublicKey;
  exportLimitW: number;
  importLimitW: number;
  registerStepWh: number;
  tariffClass: number;
  /** Wh, at least the slot's totals. */
  carriedImportWh: bigint;
  carriedExportWh: bigint;
}): TransactionInstruction {
  return new TransactionInstruction({
    programId: programIds.registry,
    keys: [
      signer(args.utility),
      writableSigner(args.payer),
      readonly(pda.config()),
      readonly(pda.zone(args.zone)),
      readonly(pda.meterPage(args.zone, args.page)),
      writable(pda.meter(args.oldMeterId)),
      writable(pda.meter(args.meterId)),
      writable(args.point),
      readonly(SYSVAR_INSTRUCTIONS_PUBKEY),
      system,
    ],
    data: start('replace_meter')
      .u32(args.exportLimitW)
      .u32(args.importLimitW)
      .u32(args.registerStepWh)
      .u16(args.tariffClass)
      .u64(args.carriedImportWh)
      .u64(args.carriedExportWh)
      .done(),
  });
}

/** What reactivation names: the raw registers at the end of `window`, and the totals (Wh) that they stand for from then on. */
export interface AcceptedTotals {
  readonly window: number;
  readonly rawImportWh: bigint;
  readonly rawExportWh: bigint;
  readonly importWh: bigint;
  readonly exportWh: bigint;
}

/** Suspends, closes or, with `accepted`, reactivates a meter. `sync_slot` (or `conclude_dispute`) then brings it to the slot. */
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
  status: 'suspended' | 'closed' | AcceptedTotals;
}): TransactionInstruction {
  const { page, status } = args;
  const accepted = typeof status === 'string' ? undefined : status;
  return new TransactionInstruction({
    programId: programIds.registry,
    keys: [
      signer(args.utility),
      readonly(pda.zone(args.zone)),
      writable(pda.meter(args.meterId)),
      writable(args.point),
      readonly(page === undefined ? programIds.registry : pda.meterPage(args.zone, page)),
      readonly(args.dispute ?? programIds.registry),
    ],
    data: start('set_status')
      .u8(accepted ? Status.active : Status[status as 'suspended' | 'closed'])
      .u32(accepted?.window ?? 0)
      .u64(accepted?.rawImportWh ?? 0n)
      .u64(accepted?.rawExportWh ?? 0n)
      .u64(accepted?.importWh ?? 0n)
      .u64(accepted?.exportWh ?? 0n)
      .done(),
  });
}
