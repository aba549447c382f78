import {
  CAP,
  type ModelCase,
  type ModelMeter,
  type ModelSlot,
  type Outcome,
  type Pair,
  type Rule,
} from './model-state.js';
import type { Op, Said } from './ops.js';

const DAY = 96;
const MOST_WINDOWS = 2_880;
const OVER_TOLERANCE = 60;
const BAD_QUALITY = 0b1011;

const { min } = Math;
const popcount = (bits: number) => bits.toString(2).replaceAll('0', '').length;

/**
 * What a rise means to the chain, of which the attestation carries as many groups of 7 bits as `known`, the rise over its read, needs:
 * the smallest one with the same low bits. The same as the rise when the slot is as it was read.
 */
function lowBits(rise: bigint, known: bigint): bigint {
  let bits = 7;
  while (known >> BigInt(bits)) bits += 7;
  return BigInt.asUintN(bits, rise);
}

/** The reference model of the telemetry chain, written from its rules: unbounded numbers, no accounts, no encodings. */
export class Model {
  readonly meters = new Map<string, ModelMeter>();
  readonly slots: ModelSlot[] = [];
  readonly cases = new Map<number, ModelCase>();
  readonly wallets = new Map<string, bigint>();
  readonly #off: Rule | undefined;
  time: number;
  version = 0n;
  moves = 0;
  highest = 0;
  vault = 0n;

  constructor(time: number, off?: Rule) {
    this.time = time;
    this.#off = off;
  }

  #on(rule: Rule): boolean {
    return rule !== this.#off;
  }

  get now(): number {
    return Math.floor(this.time / 900);
  }

  #over(window: number): boolean {
    return !this.#on('over') || (window + 1) * 900 <= this.time + OVER_TOLERANCE;
  }

  #begun(window: number): boolean {
    return window * 900 <= this.time + OVER_TOLERANCE;
  }

  meter(name: string): ModelMeter {
    const found = this.meters.get(name);
    if (!found) throw new RangeError(`meter ${name}`);
    return found;
  }

  slotOf(meter: ModelMeter): ModelSlot | undefined {
    return meter.slot === undefined ? undefined : this.slots[meter.slot];
  }

  apply(op: Op): Outcome {
    switch (op.kind) {
      case 'clock':
        this.time += op.seconds;
        return 'unchanged';
      case 'attest':
        return this.#attest(op);
      case 'submit':
        return this.#submit(this.meter(op.meter), op.said);
      case 'dispute':
        return this.#dispute(this.meter(op.meter), op.said);
      case 'answer':
        return this.#answer(this.meter(op.meter), op.said);
      case 'conclude':
        return this.#conclude(this.meter(op.meter));
      case 'sync':
        return this.#sync(this.meter(op.meter));
      case 'activate':
        return this.#activate(this.meter(op.meter));
      case 'status':
        return this.#status(op);
      case 'rotate':
        return this.#rotate(op);
      case 'replace':
        return this.#replace(op);
      case 'mintPage':
        for (const slot of this.slots) if (!slot.toWallet) this.vault += this.#mint(slot, true);
        return 'unchanged';
      case 'mintMeter':
        return this.#mintMeter(this.meter(op.meter));
      case 'destination':
        return this.#destination(op);
      case 'retire':
        return this.#retire(op);
    }
  }

  /** Whether the caps allow the rise; 'extra' when only with one window more. */
  #allowed(slot: ModelSlot, window: number, rise: Pair): 'plain' | 'extra' | undefined {
    const passed = BigInt(Math.max(1, min(window - slot.window, MOST_WINDOWS)));
    const within = (windows: bigint) =>
      rise.exportWh <= CAP.exportWh * windows && rise.importWh <= CAP.importWh * windows;
    if (within(passed)) return 'plain';
    if (this.#on('extra') && slot.extra) return undefined;
    return within(passed + 1n) || !this.#on('caps') ? 'extra' : undefined;
  }

  #attest(op: Extract<Op, { kind: 'attest' }>): Outcome {
    if (this.#on('version') && op.version !== this.version) return 'refused';
    if (!this.#over(op.window) || popcount(op.signers) < 2 || op.items.length === 0) return 'refused';
    this.version += 1n;
    let taken = false;
    for (const { slot: index, total, read } of op.items) {
      const slot = this.slots[index];
      if (!slot?.active || slot.closed || (slot.disputed && this.#on('frozen'))) continue;
      if (slot.moved && op.moves !== this.moves && this.#on('moved')) continue;
      if (op.window <= slot.window && this.#on('newer')) continue;
      const rise = {
        exportWh: lowBits(total.exportWh - slot.exportWh, total.exportWh - read.exportWh),
        importWh: lowBits(total.importWh - slot.importWh, total.importWh - read.importWh),
      };
      const allowed = this.#allowed(slot, op.window, rise);
      if (!allowed) continue;
      Object.assign(slot, { exportWh: slot.exportWh + rise.exportWh, importWh: slot.importWh + rise.importWh });
      Object.assign(slot, { window: op.window, extra: allowed === 'extra', moved: false });
      Object.assign(slot, { attestors: op.signers, epoch: 1 });
      taken = true;
    }
    if (taken) this.highest = Math.max(this.highest, op.window);
    return { signers: op.signers, extra: 'nothing' };
  }

  /** The statement is about this meter and network, and of a quality that counts. */
  #valid(meter: ModelMeter, said: Said): boolean {
    const quality = !this.#on('quality') || (said.quality & BAD_QUALITY) === 0;
    return said.network && said.about === meter.name && quality;
  }

  #presentKey(meter: ModelMeter, said: Said): boolean {
    if (this.#on('presentKey') && said.key !== meter.key) return false;
    return !this.#on('firstWindow') || said.window >= meter.firstValid;
  }

  #total(meter: ModelMeter, said: Said): Pair | undefined {
    const rise = {
      exportWh: said.raw.exportWh - meter.baseline.exportWh,
      importWh: said.raw.importWh - meter.baseline.importWh,
    };
    if (rise.exportWh < 0n || rise.importWh < 0n) return undefined;
    return { exportWh: meter.carried.exportWh + rise.exportWh, importWh: meter.carried.importWh + rise.importWh };
  }

  #submit(meter: ModelMeter, said: Said): Outcome {
    const slot = this.slotOf(meter);
    if (!slot?.active || slot.closed || meter.status !== 'active') return 'refused';
    if (slot.disputed && this.#on('frozen')) return 'refused';
    if (!this.#valid(meter, said) || !this.#presentKey(meter, said)) return 'refused';
    if (!this.#over(said.window) || (said.window <= slot.window && this.#on('newer'))) return 'refused';
    if (!meter.deviceSigned && this.now - slot.window < DAY && this.#on('gatewayWait')) return 'refused';
    const total = this.#total(meter, said);
    if (!total || total.exportWh < slot.exportWh || total.importWh < slot.importWh) return 'refused';
    const rise = { exportWh: total.exportWh - slot.exportWh, importWh: total.importWh - slot.importWh };
    const allowed = this.#allowed(slot, said.window, rise);
    if (!allowed) return 'refused';
    Object.assign(slot, total, { window: said.window, extra: allowed === 'extra', moved: true });
    Object.assign(slot, { attestors: 0, epoch: 0 });
    this.moves += 1;
    this.highest = Math.max(this.highest, said.window);
    return { signers: 0, extra: 'payload' };
  }

  /** The device's own word: by the present key, or by the previous one up to its last window. */
  #evidence(meter: ModelMeter, said: Said): boolean {
    if (!meter.deviceSigned || !this.#valid(meter, said)) return false;
    if (said.key === meter.previousKey) return said.window <= meter.previousLast;
    return this.#presentKey(meter, said);
  }

  #dispute(meter: ModelMeter, said: Said): Outcome {
    const slot = this.slotOf(meter);
    if (!slot || slot.closed || slot.disputed || !(slot.active || slot.suspended)) return 'refused';
    if (!this.#evidence(meter, said) || !this.#over(said.window) || said.window <= slot.window) return 'refused';
    const total = this.#total(meter, said);
    if (total && total.exportWh >= slot.exportWh && total.importWh >= slot.importWh) return 'refused';
    const index = meter.slot as number;
    this.cases.set(index, {
      number: (this.cases.get(index)?.number ?? 0) + 1,
      opened: this.now,
      window: slot.window,
      total: { exportWh: slot.exportWh, importWh: slot.importWh },
      attestors: slot.attestors,
      verdict: slot.attestors === 0 ? 1 : 0,
    });
    slot.disputed = true;
    return { signers: 0, extra: 'payload' };
  }

  #answer(meter: ModelMeter, said: Said): Outcome {
    const found = meter.slot === undefined ? undefined : this.cases.get(meter.slot);
    if (!found || !this.slotOf(meter)?.disputed || found.verdict !== 0) return 'refused';
    if (this.#on('answerTime') && this.now >= found.opened + DAY) return 'refused';
    if (!this.#evidence(meter, said) || said.window > found.window) return 'refused';
    const total = this.#total(meter, said);
    if (!total || total.exportWh < found.total.exportWh || total.importWh < found.total.importWh) return 'refused';
    found.verdict = 1;
    return { signers: 0, extra: 'payload' };
  }

  #conclude(meter: ModelMeter): Outcome {
    const slot = this.slotOf(meter);
    const found = meter.slot === undefined ? undefined : this.cases.get(meter.slot);
    if (!slot?.disputed || !found) return 'refused';
    if (found.verdict === 0) {
      if (this.now < found.opened + DAY) return 'refused';
      found.verdict = 2;
      return { signers: 0, extra: 'verdict' };
    }
    if (meter.acceptedDispute !== found.number) return 'refused';
    Object.assign(slot, { disputed: false, moved: true, attestors: 0, epoch: 0 });
    this.moves += 1;
    return { signers: 0, extra: 'slot', slot: meter.slot as number };
  }

  #activate(meter: ModelMeter): Outcome {
    const slot = this.slotOf(meter);
    if (!slot || slot.closed) return 'refused';
    return 'unchanged'; // every slot of the campaign was activated before
  }

  #sync(meter: ModelMeter): Outcome {
    const slot = this.slotOf(meter);
    if (!slot) return 'refused';
    if (slot.closed) return 'unchanged';
    const want = {
      active: meter.status === 'active',
      suspended: meter.status === 'suspended',
      closed: meter.status === 'closed',
    };
    if (want.active === slot.active && want.suspended === slot.suspended && !want.closed) return 'unchanged';
    if (want.active) {
      Object.assign(slot, { moved: true, attestors: 0, epoch: 0 });
      this.moves += 1;
    }
    Object.assign(slot, want);
    return { signers: 0, extra: 'slot', slot: meter.slot as number };
  }

  #settled(meter: ModelMeter): boolean {
    if (this.slotOf(meter)?.disputed) return false;
    return !this.#on('rotationTime') || meter.rotated === 0 || this.now >= meter.rotated + DAY;
  }

  #status(op: Extract<Op, { kind: 'status' }>): Outcome {
    const meter = this.meter(op.meter);
    if (op.by !== 'utility' || meter.status === 'closed' || meter.status === 'replaced') return 'refused';
    const slot = this.slotOf(meter);
    if (op.withCase !== (op.status === 'active' && (slot?.disputed ?? false))) return 'refused';
    if (op.status === 'active') return this.#reactivate(meter, op);
    if (op.status === 'suspended' && meter.status !== 'active') return 'refused';
    if (op.status === 'closed' && !this.#settled(meter)) return 'refused';
    meter.status = op.status;
    return 'unchanged';
  }

  #reactivate(meter: ModelMeter, op: Extract<Op, { kind: 'status' }>): Outcome {
    const { window, raw, total } = op.accepted;
    const slot = this.slotOf(meter);
    const found = meter.slot === undefined ? undefined : this.cases.get(meter.slot);
    if (!slot || (slot.disputed && found?.verdict === 0)) return 'refused';
    if (slot.active && !slot.disputed) return 'refused';
    if (!this.#begun(window) || window < slot.window || window + 1 < meter.firstValid) return 'refused';
    for (const side of ['exportWh', 'importWh'] as const) {
      if (total[side] < slot[side] && this.#on('acceptedFloor')) return 'refused';
      const above = raw[side] - meter.baseline[side];
      const shown = above < 0n ? 0n : meter.carried[side] + above;
      if (total[side] > slot[side] && total[side] > shown) return 'refused';
    }
    if (slot.disputed && found) meter.acceptedDispute = found.number;
    meter.baseline = raw;
    meter.carried = total;
    meter.firstValid = window + 1;
    meter.previousLast = min(meter.previousLast, slot.window);
    meter.status = 'active';
    return 'unchanged';
  }

  #rotate(op: Extract<Op, { kind: 'rotate' }>): Outcome {
    const meter = this.meter(op.meter);
    if (op.by !== 'utility' || (meter.status !== 'active' && meter.status !== 'suspended')) return 'refused';
    if (!this.#settled(meter) || op.epoch !== meter.keyEpoch + 1) return 'refused';
    if (!op.recovery && op.oldKey !== meter.key) return 'refused';
    if (op.key === meter.key || op.key === meter.previousKey) return 'refused';
    if (!this.#begun(op.window) || op.window + DAY < this.now || op.window + 1 < meter.firstValid) return 'refused';
    Object.assign(meter, { previousKey: meter.key, previousLast: op.window, key: op.key, keyEpoch: op.epoch });
    Object.assign(meter, { firstValid: op.window + 1, rotated: this.now });
    return 'unchanged';
  }

  #replace(op: Extract<Op, { kind: 'replace' }>): Outcome {
    const old = this.meter(op.meter);
    const slot = this.slotOf(old);
    if (!slot?.suspended || old.status !== 'suspended' || !this.#settled(old)) return 'refused';
    if (this.meters.has(op.next) || op.key === old.key || op.key === old.previousKey) return 'refused';
    if (op.carried.exportWh < slot.exportWh || op.carried.importWh < slot.importWh) return 'refused';
    if (!this.#begun(op.window) || op.window + DAY < this.now) return 'refused';
    this.meters.set(op.next, {
      name: op.next,
      owner: old.owner,
      deviceSigned: true,
      key: op.key,
      previousKey: undefined,
      previousLast: 0,
      keyEpoch: 0,
      rotated: this.now,
      firstValid: op.window + 1,
      baseline: op.raw,
      carried: op.carried,
      status: 'active',
      slot: old.slot,
      acceptedDispute: 0,
    });
    old.status = 'replaced';
    old.slot = undefined;
    return 'unchanged';
  }

  #mint(slot: ModelSlot, pooled: boolean): bigint {
    const due = slot.exportWh - slot.mintedWh;
    if ((slot.disputed && this.#on('frozen')) || due <= 0n) return 0n;
    if (this.#on('cursor')) slot.mintedWh += due;
    if (pooled) slot.pooledWh += due;
    return due * 1_000n;
  }

  #mintMeter(meter: ModelMeter): Outcome {
    const slot = this.slotOf(meter);
    if (!slot) return 'refused';
    if (slot.toWallet) this.wallets.set(meter.owner, this.balance(meter.owner) + this.#mint(slot, false));
    return 'unchanged';
  }

  balance(owner: string): bigint {
    return this.wallets.get(owner) ?? 0n;
  }

  #destination(op: Extract<Op, { kind: 'destination' }>): Outcome {
    const meter = this.meter(op.meter);
    const slot = this.slotOf(meter);
    if (!slot || op.by !== meter.owner) return 'refused';
    slot.toWallet = op.wallet;
    return 'unchanged';
  }

  #retire(op: Extract<Op, { kind: 'retire' }>): Outcome {
    const meter = this.meter(op.meter);
    const slot = this.slotOf(meter);
    if (!slot || op.by !== meter.owner || slot.disputed || op.wh === 0n) return 'refused';
    if (this.#on('retired') && slot.retiredWh + op.wh > slot.importWh) return 'refused';
    if (op.wh * 1_000n > this.balance(op.by)) return 'refused';
    slot.retiredWh += op.wh;
    this.wallets.set(op.by, this.balance(op.by) - op.wh * 1_000n);
    return 'unchanged';
  }
}
