import type { PublicKey, TransactionInstruction } from '@solana/web3.js';
import { Status, type UserRole } from '../accounts.js';
import * as generated from '../generated/instructions/registry/index.js';
import { programIds } from '../ids.js';
import { signer } from '../metas.js';
import { pda } from '../pda.js';

/** Config, once per deployment. `upgradeAuthority` is the key that the program's ProgramData account names. */
export function initialize(
  args: generated.InitializeArgs & { upgradeAuthority: PublicKey; payer: PublicKey },
): TransactionInstruction {
  const { upgradeAuthority, payer } = args;
  const programData = pda.programData(programIds.registry);
  const accounts = { upgradeAuthority, payer, config: pda.config(), program: programIds.registry, programData };
  return generated.initialize(accounts, args);
}

export function createZone(
  args: generated.CreateZoneArgs & { authority: PublicKey; payer: PublicKey },
): TransactionInstruction {
  const { authority, payer } = args;
  return generated.createZone({ authority, payer, config: pda.config(), zone: pda.zone(args.zone) }, args);
}

/** 1 to 7 distinct keys; the order gives the bits of the signer bitmap. A zone's first set is in force at once. */
export function announceAttestors(
  args: generated.AnnounceAttestorsArgs & { authority: PublicKey; zone: number },
): TransactionInstruction {
  const accounts = { authority: args.authority, config: pda.config(), zone: pda.zone(args.zone) };
  return generated.announceAttestors(accounts, args);
}

/** Anyone, 96 windows after the announcement. */
export function installAttestors(args: { zone: number }): TransactionInstruction {
  return generated.installAttestors({ zone: pda.zone(args.zone) });
}

/** `signers`: the zone's utility alone, or attestors of the set in force, at least their threshold. */
export function cancelAttestors(args: { zone: number; signers: readonly PublicKey[] }): TransactionInstruction {
  return generated.cancelAttestors({ zone: pda.zone(args.zone) }, args.signers.map(signer));
}

/** `authority` is the zone's utility or Config.authority. */
export function registerUser(
  args: Omit<generated.RegisterUserArgs, 'role'> & {
    authority: PublicKey;
    payer: PublicKey;
    zone: number;
    role: UserRole;
  },
): TransactionInstruction {
  const { authority, payer, zone } = args;
  const accounts = { authority, payer, config: pda.config(), zone: pda.zone(zone), user: pda.user(zone, args.wallet) };
  return generated.registerUser(accounts, args);
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
  const { authority, payer, zone } = args;
  return generated.registerMeter(
    {
      authority,
      payer,
      config: pda.config(),
      zone: pda.zone(zone),
      authorityUser: args.authorityIsUtility ? undefined : pda.user(zone, authority),
      ownerUser: pda.user(zone, args.owner),
      point: pda.point(zone, args.pointCommitment),
      meter: pda.meter(zone, args.meterId),
    },
    args,
  );
}

/** The utility's word about a meter. */
export type MeterLimits = generated.ReplaceMeterArgs;

/**
 * The utility lets a registered meter speak. It names the key and the enrolment that it looked at: a record that was registered anew
 * since is refused.
 */
export function confirmMeter(
  args: generated.ConfirmMeterArgs & {
    utility: PublicKey;
    zone: number;
    meterId: Uint8Array;
    /** Address of the meter's Point. */
    point: PublicKey;
  },
): TransactionInstruction {
  const { utility, zone, point } = args;
  const meter = pda.meter(zone, args.meterId);
  return generated.confirmMeter({ utility, zone: pda.zone(zone), meter, point }, args);
}

/** The page of a meter's slot; undefined for a meter without one. */
const pageOf = (zone: number, page: number | undefined) => (page === undefined ? undefined : pda.meterPage(zone, page));

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
  const { utility, recoveryAuthority: authority, zone } = args;
  const accounts = { utility, authority, config: pda.config(), zone: pda.zone(zone) };
  const meter = pda.meter(zone, args.meterId);
  const recovery = authority !== undefined;
  return generated.rotateKey({ ...accounts, meterPage: pageOf(zone, args.page), meter }, { recovery });
}

/**
 * Directly after the verification of the new meter's enrolment message. The old meter is suspended, and so is its slot, whose totals
 * the new record carries.
 */
export function replaceMeter(
  args: MeterLimits & {
    utility: PublicKey;
    payer: PublicKey;
    zone: number;
    page: number;
    oldMeterId: Uint8Array;
    meterId: Uint8Array;
    /** Address of the old meter's Point. */
    point: PublicKey;
  },
): TransactionInstruction {
  const { utility, payer, zone, point } = args;
  return generated.replaceMeter(
    {
      utility,
      payer,
      config: pda.config(),
      zone: pda.zone(zone),
      meterPage: pda.meterPage(zone, args.page),
      oldMeter: pda.meter(zone, args.oldMeterId),
      meter: pda.meter(zone, args.meterId),
      point,
    },
    args,
  );
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
  const { utility, zone, point, dispute } = args;
  const accounts = { utility, zone: pda.zone(zone), meter: pda.meter(zone, args.meterId), point, dispute };
  const meterPage = pageOf(zone, args.page);
  return generated.setStatus({ ...accounts, meterPage, config: pda.config() }, { status: Status[args.status] });
}
