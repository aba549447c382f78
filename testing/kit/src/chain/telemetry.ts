import { decodeMeter, decodeMeterPage, instructions, type MeterSlot, pda } from '@gridtokenx/chain-client';
import { encodePayload, type Statement, type ToEncode } from '@gridtokenx/protocol';
import type { Keypair, TransactionInstruction } from '@solana/web3.js';
import { hostileVariants, malformedVariants, problem } from './hostile.js';
import { START, signed, type TestMeter, type World, windowAt } from './world.js';

/** Registers at commissioning, as `World.enrolment` states them. */
export const BASELINE = { exportWh: 2_000n, importWh: 1_000n } as const;

/** Content of a statement: totals in Wh since enrolment, from which the registers follow. */
export interface Said {
  readonly window: number;
  readonly exportWh: bigint;
  readonly importWh: bigint;
  /** The key that signs; the meter's own by default. */
  readonly key?: Keypair;
  /** Changes the payload before it is signed. */
  readonly change?: Partial<ToEncode<Statement>>;
}

/** Returns a statement `step` windows after the first window of a world, with 7 Wh of import. */
export const said = (step: number, exportWh: bigint, rest: Partial<Said> = {}): Said => ({
  window: windowAt(START) + step,
  exportWh,
  importWh: 7n,
  ...rest,
});

/** Returns the 96 bytes of a statement of `meter`. */
export function statementPayload(world: World, meter: TestMeter, said: Said): Uint8Array {
  return encodePayload({
    kind: 2,
    networkId: world.networkId,
    meterId: meter.id,
    seq: BigInt(said.window),
    window: said.window,
    exportWh: said.exportWh + BASELINE.exportWh,
    importWh: said.importWh + BASELINE.importWh,
    readingCount: 15,
    quality: 0,
    timeUncertaintyMs: 20,
    readingsRoot: new Uint8Array(32),
    ...said.change,
  });
}

/** Returns the precompile's verification of a meter's statement. */
export function verification(world: World, meter: TestMeter, said: Said): TransactionInstruction {
  const key = said.key ?? meter.key;
  return instructions.signedMessageVerification(
    key.publicKey.toBytes(),
    signed(key, statementPayload(world, meter, said)),
  );
}

const at = (world: World, meter: TestMeter) => ({ meterId: meter.id, zone: world.zone, page: 0 });

export const submit = (world: World, meter: TestMeter, said: Said): TransactionInstruction[] => [
  verification(world, meter, said),
  instructions.submitStatement(at(world, meter)),
];

export const sync = (world: World, meter: TestMeter): TransactionInstruction => instructions.syncSlot(at(world, meter));

export const dispute = (world: World, meter: TestMeter, slot: number, said: Said): TransactionInstruction[] => [
  verification(world, meter, said),
  instructions.dispute({ ...at(world, meter), payer: world.payer, slot }),
];

export const answer = (world: World, meter: TestMeter, slot: number, said: Said): TransactionInstruction[] => [
  verification(world, meter, said),
  instructions.answer({ ...at(world, meter), slot }),
];

export const conclude = (world: World, meter: TestMeter, slot: number): TransactionInstruction =>
  instructions.concludeDispute({ ...at(world, meter), slot });

export type Status = Parameters<typeof instructions.setStatus>[0]['status'];

/**
 * Builds set_status, signed by the utility; `slot` when the slot is disputed, `page` null for a meter without a slot.
 */
export function setStatus(
  world: World,
  meter: TestMeter,
  status: Status,
  slot?: number,
  page: number | null = 0,
): TransactionInstruction {
  const { zone } = world;
  return instructions.setStatus({
    utility: world.utility.publicKey,
    zone,
    meterId: meter.id,
    point: pda.point(zone, meter.commitment),
    page: page ?? undefined,
    status,
    ...(slot === undefined ? {} : { dispute: pda.dispute(zone, 0, slot) }),
  });
}

/** Builds the verification of a meter's statement, and the reactivation that relies on it. */
export const reactivate = (world: World, meter: TestMeter, said: Said, slot?: number): TransactionInstruction[] => [
  verification(world, meter, said),
  setStatus(world, meter, 'active', slot),
];

export interface Rotation {
  readonly key: Keypair;
  readonly recovery?: boolean;
  /** Changes the enrolment message of the new key. */
  readonly message?: Parameters<World['enrolment']>[1];
}

/**
 * Builds the verifications by the old key (not in recovery) and the new key, and rotate_key. Signed by the utility, and
 * the authority.
 */
export function rotate(world: World, meter: TestMeter, rotation: Rotation): TransactionInstruction[] {
  const record = world.chain.get(pda.meter(world.zone, meter.id), decodeMeter);
  const message = world.enrolment(meter, {
    keyEpoch: record.keyEpoch + 1,
    deviceSigned: record.signerLevel === 'device',
    role: record.role as 0 | 1 | 2,
    seq: 2n,
    ...rotation.message,
  });
  const by = (key: Keypair) => instructions.signedMessageVerification(key.publicKey.toBytes(), signed(key, message));
  return [
    ...(rotation.recovery ? [] : [by(meter.key)]),
    by(rotation.key),
    instructions.rotateKey({
      utility: world.utility.publicKey,
      ...(rotation.recovery ? { recoveryAuthority: world.authority.publicKey } : {}),
      zone: world.zone,
      page: record.role === 0 ? 0 : undefined,
      meterId: meter.id,
    }),
  ];
}

/** Builds the verification by the new meter's key and replace_meter. Signed by the utility. */
export function replace(
  world: World,
  old: TestMeter,
  meter: TestMeter,
  message: Parameters<World['enrolment']>[1] = {},
): TransactionInstruction[] {
  return [
    instructions.signedMessageVerification(
      meter.key.publicKey.toBytes(),
      signed(meter.key, world.enrolment(meter, { deviceSigned: true, ...message })),
    ),
    instructions.replaceMeter({
      utility: world.utility.publicKey,
      payer: world.payer,
      zone: world.zone,
      page: 0,
      oldMeterId: old.id,
      meterId: meter.id,
      point: pda.point(world.zone, old.commitment),
      exportLimitW: 5_000,
      importLimitW: 10_000,
      registerStepWh: 1,
      tariffClass: 1,
      deviceSigned: message?.deviceSigned ?? true,
    }),
  ];
}

/** Returns a slot of page 0. */
export function slotAt(world: World, index: number): MeterSlot {
  const slot = world.chain.get(pda.meterPage(world.zone, 0), decodeMeterPage).slots[index];
  if (!slot) throw new RangeError(`slot ${index}`);
  return slot;
}

/** Returns 'accepted', the name of the programs' error, or the failure in words. */
export function refusal(
  world: World,
  list: readonly TransactionInstruction[],
  signers: readonly Keypair[] = [world.utility, world.authority],
): string {
  const outcome = world.chain.send(list, signers);
  return outcome.ok ? 'accepted' : (outcome.error?.name ?? outcome.message);
}

/** Sets bits of a slot's flags without an instruction, so that a test sees how the programs handle them. */
export function setFlags(world: World, index: number, bits: number, page = 0): void {
  const address = pda.meterPage(world.zone, page);
  const account = world.chain.account(address);
  if (!account) throw new Error('no page');
  const data = Uint8Array.from(account.data);
  const at = 96 + 32 * index + 28;
  data[at] = (data[at] ?? 0) | bits;
  world.chain.put(address, { owner: account.owner, data });
}

/**
 * Tries every account of the last instruction wrong in every way, and every malformed form. Returns each variant that
 * was not refused as it must be.
 */
export function hostileProblems(
  world: World,
  list: readonly TransactionInstruction[],
  signers: readonly Keypair[] = [world.utility, world.authority],
): string[] {
  const last = list.at(-1);
  if (!last) throw new Error('an instruction');
  return [...hostileVariants(world.chain, last), ...malformedVariants(last)]
    .map((variant) => problem(variant, world.chain.send([...list.slice(0, -1), variant.instruction], signers)))
    .filter((found) => found !== '');
}
