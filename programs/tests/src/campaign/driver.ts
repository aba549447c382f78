import {
  buildAttestPage,
  decodeMeterPage,
  foldHistory,
  instructions,
  type MeterPage,
  pda,
} from '@gridtokenx/chain-client';
import { encodePayload } from '@gridtokenx/protocol';
import { type Keypair, type PublicKey, TransactionInstruction } from '@solana/web3.js';
import { computeLimit, type Outcome as Sent } from '../harness.js';
import { keyOf, signed, statement, type World } from '../world.js';
import type { Change, ModelSlot, Pair } from './model-state.js';
import type { Op, Said } from './ops.js';

const keys = new Map<string, Keypair>();
/** The key pair of a name, made once. */
export function named(name: string): Keypair {
  const found = keys.get(name) ?? keyOf(name);
  keys.set(name, found);
  return found;
}

/** A meter of the campaign as the chain knows it. */
export interface Identity {
  readonly id: Uint8Array;
  readonly commitment: Uint8Array;
  readonly owner: string;
}

/** What an op is on the chain: its instructions, of which the last one is the programs', and who signs. */
export interface Sending {
  readonly instructions: readonly TransactionInstruction[];
  readonly signers: readonly Keypair[];
}

/** Turns ops into instructions. Addresses are derived once: that is most of the work. */
export class Driver {
  readonly world: World;
  readonly #identities: ReadonlyMap<string, Identity>;
  readonly #cache = new Map<string, TransactionInstruction>();
  readonly #networkId: Uint8Array;

  constructor(world: World, identities: ReadonlyMap<string, Identity>) {
    this.world = world;
    this.#identities = identities;
    this.#networkId = world.networkId;
  }

  identity(name: string): Identity {
    const found = this.#identities.get(name);
    if (!found) throw new RangeError(`meter ${name}`);
    return found;
  }

  /** The instruction of this name, built once; `data` replaces its arguments. */
  #once(name: string, build: () => TransactionInstruction, data?: Uint8Array): TransactionInstruction {
    const found = this.#cache.get(name) ?? build();
    this.#cache.set(name, found);
    if (!data) return found;
    const { programId, keys } = found;
    return new TransactionInstruction({ programId, keys, data: Buffer.concat([found.data.subarray(0, 8), data]) });
  }

  payload(said: Said): Uint8Array {
    const { exportWh, importWh } = said.raw;
    return encodePayload({
      kind: 2,
      networkId: said.network ? this.#networkId : new Uint8Array(8),
      meterId: this.identity(said.about).id,
      seq: BigInt(said.window),
      window: said.window,
      exportWh,
      importWh,
      readingCount: 15,
      quality: said.quality,
      timeUncertaintyMs: 20,
      readingsRoot: new Uint8Array(32),
    });
  }

  #verification(key: string, payload: Uint8Array): TransactionInstruction {
    const pair = named(key);
    return instructions.signedMessageVerification(pair.publicKey.toBytes(), signed(pair, payload));
  }

  /** The enrolment message of a key, for rotate_key and replace_meter. */
  #enrolment(name: string, window: number, raw: Pair, epoch: number, deviceSigned: boolean): Uint8Array {
    const { id, owner } = this.identity(name);
    return encodePayload({
      kind: 4,
      networkId: this.#networkId,
      meterId: id,
      seq: 1n,
      owner: named(owner).publicKey.toBytes(),
      ...raw,
      zone: this.world.zone,
      source: 1,
      role: 0,
      deviceSigned,
      keyEpoch: epoch,
      window,
    });
  }

  /** `slotOf` says where a meter is (or would be), `deviceSigned` how its record signs. */
  sending(
    op: Exclude<Op, { kind: 'clock' }>,
    page: MeterPage,
    place: { slot: number; deviceSigned: boolean },
  ): Sending {
    const { zone } = this.world;
    if (op.kind === 'mintPage') {
      const mint = this.#once('mintPage', () => instructions.mintPage({ zone, page: 0 }));
      return { instructions: [mint], signers: [] };
    }
    if (op.kind === 'attest') return this.#attest(op, page);
    const { id: meterId, owner } = this.identity(op.meter);
    const at = { meterId, zone, page: 0 };
    const { slot } = place;
    const one = (name: string, build: () => TransactionInstruction, signers: Keypair[] = [], data?: Uint8Array) => ({
      instructions: [this.#once(`${name} ${op.meter} ${slot}`, build, data)],
      signers,
    });
    switch (op.kind) {
      case 'submit':
      case 'dispute':
      case 'answer': {
        const verify = this.#verification(op.said.key, this.payload(op.said));
        const { payer } = this.world;
        const built = {
          submit: () => instructions.submitStatement(at),
          dispute: () => instructions.dispute({ ...at, payer, slot }),
          answer: () => instructions.answer({ ...at, slot }),
        };
        const rest = one(op.kind, built[op.kind]);
        return { ...rest, instructions: [verify, ...rest.instructions] };
      }
      case 'conclude':
        return one('conclude', () => instructions.concludeDispute({ ...at, slot }));
      case 'sync':
        return one('sync', () => instructions.syncSlot(at));
      case 'activate':
        return one('activate', () => instructions.activateSlot(at));
      case 'mintMeter':
        return one('mintMeter', () => instructions.mintMeter({ ...at, owner: named(owner).publicKey }));
      case 'destination': {
        const by = named(op.by);
        const set = () => instructions.setDestination({ ...at, owner: by.publicKey, destination: 'pool' });
        return one(`destination ${op.by}`, set, [by], Uint8Array.of(op.wallet ? 1 : 0));
      }
      case 'retire': {
        const by = named(op.by);
        const data = Buffer.alloc(8);
        data.writeBigUInt64LE(op.wh);
        return one(`retire ${op.by}`, () => instructions.retire({ ...at, owner: by.publicKey, wh: 1n }), [by], data);
      }
      case 'status':
        return this.#status(op, slot);
      case 'rotate':
        return this.#rotate(op, place.deviceSigned);
      case 'replace':
        return this.#replace(op);
    }
  }

  #attest(op: Extract<Op, { kind: 'attest' }>, page: MeterPage): Sending {
    const slots = [...page.slots];
    for (const { slot, read } of op.items) {
      const now = slots[slot];
      if (now) slots[slot] = { ...now, ...read };
    }
    const signers = this.world.attestors.filter((_, index) => op.signers & (1 << index));
    const items = op.items.map(({ slot, total }) => ({ slot, ...total, payload: statement(slot, op.window, total) }));
    const read = { ...page, version: op.version, moves: op.moves, slots };
    const attestors = signers.map((key) => key.publicKey);
    const built = buildAttestPage({ zone: this.world.zone, page: 0, read, window: op.window, items, attestors });
    return { instructions: [computeLimit(60_000), built], signers };
  }

  #status(op: Extract<Op, { kind: 'status' }>, slot: number): Sending {
    const { zone } = this.world;
    const { id: meterId, commitment } = this.identity(op.meter);
    const by = named(op.by);
    const build = () =>
      instructions.setStatus({
        utility: by.publicKey,
        zone,
        meterId,
        point: pda.point(zone, commitment),
        page: slot < 0 ? undefined : 0,
        ...(op.withCase ? { dispute: pda.dispute(zone, 0, Math.max(slot, 0)) } : {}),
        status: 'suspended',
      });
    const active = op.status === 'active';
    const data = Buffer.alloc(37);
    data[0] = { active: 1, suspended: 2, closed: 3 }[op.status];
    if (active) {
      const { window, raw, total } = op.accepted;
      data.writeUInt32LE(window, 1);
      for (const [index, value] of [raw.importWh, raw.exportWh, total.importWh, total.exportWh].entries())
        data.writeBigUInt64LE(value, 5 + 8 * index);
    }
    const name = `status ${op.meter} ${slot} ${op.by} ${op.withCase}`;
    return { instructions: [this.#once(name, build, data)], signers: [by] };
  }

  #rotate(op: Extract<Op, { kind: 'rotate' }>, deviceSigned: boolean): Sending {
    const { id: meterId } = this.identity(op.meter);
    const by = named(op.by);
    const message = this.#enrolment(op.meter, op.window, { exportWh: 0n, importWh: 0n }, op.epoch, deviceSigned);
    const build = () =>
      instructions.rotateKey({
        utility: by.publicKey,
        ...(op.recovery ? { recoveryAuthority: this.world.authority.publicKey } : {}),
        zone: this.world.zone,
        page: 0,
        meterId,
      });
    return {
      instructions: [
        ...(op.recovery ? [] : [this.#verification(op.oldKey, message)]),
        this.#verification(op.key, message),
        this.#once(`rotate ${op.meter} ${op.by} ${op.recovery}`, build),
      ],
      signers: [by, this.world.authority],
    };
  }

  #replace(op: Extract<Op, { kind: 'replace' }>): Sending {
    const old = this.identity(op.meter);
    const { zone, payer, utility } = this.world;
    const message = this.#enrolment(op.next, op.window, op.raw, 0, true);
    const replacement = instructions.replaceMeter({
      utility: utility.publicKey,
      payer,
      zone,
      page: 0,
      oldMeterId: old.id,
      meterId: this.identity(op.next).id,
      point: pda.point(zone, old.commitment),
      exportLimitW: 5_000,
      importLimitW: 10_000,
      registerStepWh: 1,
      tariffClass: 1,
      carriedExportWh: op.carried.exportWh,
      carriedImportWh: op.carried.importWh,
    });
    return { instructions: [this.#verification(op.key, message), replacement], signers: [utility] };
  }

  send({ instructions: list, signers }: Sending): Sent {
    return this.world.chain.send(list, signers);
  }
}

/** The 32 bytes of a slot as sync_slot and conclude_dispute fold them. */
export function slotBytes(slot: ModelSlot, caps: Pair): Uint8Array {
  const out = Buffer.alloc(32);
  out.writeBigUInt64LE(slot.exportWh, 0);
  out.writeBigUInt64LE(slot.importWh, 8);
  out.writeUInt32LE(slot.window, 16);
  out.writeUInt32LE(Number(caps.exportWh), 20);
  out.writeUInt32LE(Number(caps.importWh), 24);
  out.writeUInt16LE(flagsOf(slot), 28);
  out.writeUInt8(slot.attestors, 30);
  out.writeUInt8(slot.epoch, 31);
  return out;
}

export function flagsOf(slot: ModelSlot): number {
  const bits = [slot.active, slot.disputed, slot.extra, slot.moved, slot.closed, slot.suspended];
  return bits.reduce((flags, set, index) => flags | (set ? 1 << index : 0), 0);
}

/** The page's history after an accepted instruction. */
export function folded(
  history: Uint8Array,
  sending: Sending,
  change: Change,
  payload: Uint8Array,
  slot: Uint8Array,
): Uint8Array {
  const data = sending.instructions.at(-1)?.data ?? new Uint8Array(8);
  const extra = { payload, slot, verdict: Uint8Array.of(2), nothing: new Uint8Array(0) }[change.extra];
  return foldHistory(history, data.subarray(0, 8), change.signers, data.subarray(8), extra);
}

export const readPage = (world: World, address: PublicKey): MeterPage => world.chain.get(address, decodeMeterPage);
