import { buildAttestPage, decodeMeterPage, instructions } from '@gridtokenx/chain-client';
import { asWh } from '@gridtokenx/protocol';
import { type Chain, computeLimit, type Outcome as Sent } from '@gridtokenx/testing-kit/chain/harness';
import { statement } from '@gridtokenx/testing-kit/chain/world';
import type { Keypair, TransactionInstruction } from '@solana/web3.js';
import { once, type Sending } from './built.js';
import { RecordDriver } from './driver-records.js';
import { statementPayload, verification } from './messages.js';
import { type Model, nameOf, zoneOf } from './model.js';
import type { Pair } from './model-state.js';
import { idOf, named, utilityOf } from './names.js';
import type { Instruction, Of, RecordOp, SlotOp, ZoneOp } from './ops.js';

const isZoneOp = (op: Instruction): op is ZoneOp => !('meter' in op) && op.kind !== 'attest';
const isRecordOp = (op: Instruction): op is RecordOp =>
  ['register', 'confirm', 'status', 'rotate', 'replace'].includes(op.kind);

const whOf = ({ exportWh, importWh }: Pair) => ({ exportWh: asWh(exportWh), importWh: asWh(importWh) });

/** Turns ops into instructions. */
export class Driver {
  readonly #chain: Chain;
  readonly #networkId: Uint8Array;
  readonly #records: RecordDriver;

  constructor(chain: Chain, networkId: Uint8Array) {
    this.#chain = chain;
    this.#networkId = networkId;
    this.#records = new RecordDriver(chain.payer.publicKey, networkId);
  }

  /** Builds an op's instructions; the model states where a meter's slot is, or would be. */
  sending(op: Instruction, model: Model): Sending {
    if (isZoneOp(op)) return this.#zone(op);
    if (op.kind === 'attest') return this.#attest(op);
    const place = model.meters.get(op.meter)?.place;
    if (isRecordOp(op)) return this.#records.sending(op, place);
    return this.#slot(op, place ?? { page: 0, slot: 0 }, model.meters.get(op.meter)?.owner ?? 'owner');
  }

  send({ instructions: list, signers }: Sending): Sent {
    return this.#chain.send(list, signers);
  }

  payload(op: Instruction): Uint8Array {
    return 'said' in op && op.said ? statementPayload(this.#networkId, op.said) : new Uint8Array(0);
  }

  #zone(op: ZoneOp): Sending {
    const payer = this.#chain.payer.publicKey;
    const by = 'by' in op ? this.#person(op.by) : undefined;
    const signers = by ? [by] : [];
    const one = (name: string, build: () => TransactionInstruction) => ({
      instructions: [once(`${op.kind} ${name}`, build)],
      signers,
    });
    switch (op.kind) {
      case 'initialize':
        return { instructions: [this.#initialize(op.by)], signers };
      case 'initializeToken':
        return one('', () => instructions.initializeToken({ payer }));
      case 'createZone': {
        const { zone, capacityW } = op;
        const [authority, utility] = [this.#person(op.by).publicKey, named(utilityOf(zone)).publicKey];
        const make = () => instructions.createZone({ authority, payer, zone, utility, capacityW });
        return one(`${zone} ${op.by} ${capacityW}`, make);
      }
      case 'announce':
        return { instructions: [this.#announce(op)], signers };
      case 'install':
        return one(`${op.zone}`, () => instructions.installAttestors({ zone: op.zone }));
      case 'cancel':
        return this.#cancel(op);
      case 'user': {
        const args = { authority: this.#person(op.by).publicKey, payer, zone: op.zone, role: op.role };
        const wallet = named(op.wallet).publicKey;
        const commitment = new Uint8Array(32).fill(1);
        const make = () => instructions.registerUser({ ...args, wallet, commitment });
        return one(`${op.zone} ${op.by} ${op.wallet} ${op.role}`, make);
      }
      case 'createBudget':
        return one(`${op.zone}`, () => instructions.createBudget({ payer, zone: op.zone }));
      case 'createPage':
        return one(`${op.zone} ${op.page}`, () => instructions.createPage({ payer, zone: op.zone, page: op.page }));
      case 'createLedger':
        return one(`${op.zone} ${op.page}`, () =>
          instructions.createLedgerPage({ payer, zone: op.zone, page: op.page }),
        );
      case 'mintPage':
        return one(`${op.zone} ${op.page}`, () => instructions.mintPage({ zone: op.zone, page: op.page }));
    }
  }

  #person(name: string): Keypair {
    return name === 'upgrader' ? this.#chain.upgradeAuthority : named(name);
  }

  #initialize(by: string): TransactionInstruction {
    return once(`initialize ${by}`, () =>
      instructions.initialize({
        upgradeAuthority: this.#person(by).publicKey,
        payer: this.#chain.payer.publicKey,
        authority: this.#person(by).publicKey,
        genesisHash: new Uint8Array(32),
        salt: new Uint8Array(16),
        development: true,
      }),
    );
  }

  #announce({ zone, by, keys, threshold }: Of<'announce'>): TransactionInstruction {
    return once(`announce ${zone} ${by} ${threshold} ${keys.join()}`, () =>
      instructions.announceAttestors({
        authority: this.#person(by).publicKey,
        zone,
        threshold,
        attestors: keys.map((key) => named(key).publicKey),
      }),
    );
  }

  #cancel(op: Of<'cancel'>): Sending {
    const signers = op.signers.map((name) => this.#person(name));
    const keys = signers.map((key) => key.publicKey);
    const make = () => instructions.cancelAttestors({ zone: op.zone, signers: keys });
    return { instructions: [once(`cancel ${op.zone} ${op.signers.join()}`, make)], signers };
  }

  #attest(op: Of<'attest'>): Sending {
    const { zone, page: number } = op;
    const address = once(`page ${zone} ${number}`, () => instructions.mintPage({ zone, page: number })).keys[2];
    const account = address && this.#chain.account(address.pubkey);
    if (!account || account.data.length === 0) throw new RangeError(`no page ${zone}/${number}`);
    const page = decodeMeterPage(account);
    const slots = [...page.slots];
    for (const { slot, read } of op.items) {
      const now = slots[slot];
      if (now) slots[slot] = { ...now, ...whOf(read) };
    }
    const signers = op.signers.map((name) => this.#person(name));
    const items = op.items.map(({ slot, total }) => ({
      slot,
      ...whOf(total),
      payload: statement(slot, op.window, total),
    }));
    const read = { ...page, version: op.version, moves: op.moves, slots };
    const attestors = signers.map((key) => key.publicKey);
    const built = buildAttestPage({ zone, page: number, read, window: op.window, items, attestors });
    return { instructions: [computeLimit(60_000), built], signers };
  }

  #slot(op: Exclude<SlotOp, Of<'attest'>>, place: { page: number; slot: number }, owner: string): Sending {
    const { page, slot } = place;
    const [zone, meterId] = [zoneOf(op.meter), idOf(nameOf(op.meter))];
    const at = { meterId, zone, page };
    const payer = this.#chain.payer.publicKey;
    const one = (name: string, build: () => TransactionInstruction, signers: Keypair[] = [], data?: Uint8Array) => ({
      instructions: [once(`${op.kind} ${op.meter} ${page} ${slot} ${name}`, build, data)],
      signers,
    });
    switch (op.kind) {
      case 'submit':
      case 'dispute':
      case 'answer': {
        const built = {
          submit: () => instructions.submitStatement(at),
          dispute: () => instructions.dispute({ ...at, payer, slot }),
          answer: () => instructions.answer({ ...at, slot }),
        };
        const rest = one('', built[op.kind]);
        return { ...rest, instructions: [verification(op.said.key, this.payload(op)), ...rest.instructions] };
      }
      case 'conclude':
        return one('', () => instructions.concludeDispute({ ...at, slot }));
      case 'sync':
        return one('', () => instructions.syncSlot(at));
      case 'activate':
        return one('', () => instructions.activateSlot(at));
      case 'mintMeter':
        return one(owner, () => instructions.mintMeter({ ...at, owner: named(owner).publicKey }));
      case 'destination': {
        const by = this.#person(op.by);
        const set = () => instructions.setDestination({ ...at, owner: by.publicKey, destination: 'pool' });
        return one(op.by, set, [by], Uint8Array.of(op.wallet ? 1 : 0));
      }
      case 'retire': {
        const by = this.#person(op.by);
        const data = Buffer.alloc(8);
        data.writeBigUInt64LE(op.wh);
        return one(op.by, () => instructions.retire({ ...at, owner: by.publicKey, wh: asWh(1n) }), [by], data);
      }
    }
  }
}
