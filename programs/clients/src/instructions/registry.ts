import { type PublicKey, SYSVAR_INSTRUCTIONS_PUBKEY, SystemProgram, TransactionInstruction } from '@solana/web3.js';
import type { UserRole } from '../accounts.js';
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
