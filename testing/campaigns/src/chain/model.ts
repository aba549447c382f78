import type {
  ModelBudget,
  ModelCase,
  ModelMeter,
  ModelPage,
  ModelSlot,
  ModelZone,
  PageRef,
  Pair,
  Rule,
} from './model-state.js';
import type { Said } from './ops.js';

export const DAY = 96;
const OVER_TOLERANCE = 60;
const BAD_QUALITY = 0b1011;

export const popcount = (bits: number): number => bits.toString(2).replaceAll('0', '').length;
export const pageRef = (zone: number, page: number): PageRef => `${zone}/${page}`;
export const zoneOf = (ref: string): number => Number(ref.split('/')[0]);
export const nameOf = (ref: string): string => ref.split('/')[1] ?? '';

/**
 * The state of the reference model of the chain, written from its rules: unbounded numbers, no accounts, no encodings.
 * The other files of this folder that are named after it hold the rules themselves.
 */
export class Model {
  readonly zones = new Map<number, ModelZone>();
  /** Roles by zone and wallet. */
  readonly users = new Map<string, number>();
  /** The live meter of a connection point, by zone and point. */
  readonly live = new Map<string, string>();
  /** The last window that earlier meters of a connection point have counted. */
  readonly counted = new Map<string, number>();
  readonly meters = new Map<string, ModelMeter>();
  readonly pages = new Map<PageRef, ModelPage>();
  /** Finished steps of create_ledger_page; 2 make a ledger page. */
  readonly ledgers = new Map<PageRef, number>();
  /** Slots that were assigned to a meter, by zone, page and slot, whether their page exists or not. */
  readonly assigned = new Map<string, ModelSlot>();
  /** By zone, page and slot. */
  readonly cases = new Map<string, ModelCase>();
  readonly budgets = new Map<number, ModelBudget>();
  readonly wallets = new Map<string, bigint>();
  readonly #off: Rule | undefined;
  time: number;
  vault = 0n;

  constructor(time: number, off?: Rule) {
    this.time = time;
    this.#off = off;
  }

  /** Returns true when the model has this rule. */
  on(rule: Rule): boolean {
    return rule !== this.#off;
  }

  get now(): number {
    return Math.floor(this.time / 900);
  }

  over(window: number): boolean {
    return !this.on('over') || (window + 1) * 900 <= this.time + OVER_TOLERANCE;
  }

  begun(window: number): boolean {
    return window * 900 <= this.time + OVER_TOLERANCE;
  }

  balance(owner: string): bigint {
    return this.wallets.get(owner) ?? 0n;
  }

  page(zone: number, page: number): ModelPage | undefined {
    return this.pages.get(pageRef(zone, page));
  }

  hasLedger(zone: number, page: number): boolean {
    return this.ledgers.get(pageRef(zone, page)) === 2;
  }

  /** Returns page and slot of a meter whose page exists. */
  at(meter: ModelMeter | undefined): { page: ModelPage; slot: ModelSlot; ref: string } | undefined {
    if (!meter?.place) return undefined;
    const page = this.page(meter.zone, meter.place.page);
    const slot = page?.slots.get(meter.place.slot);
    return page && slot ? { page, slot, ref: `${meter.zone}/${meter.place.page}/${meter.place.slot}` } : undefined;
  }

  slotOf(meter: ModelMeter | undefined): ModelSlot | undefined {
    return this.at(meter)?.slot;
  }

  caseOf(meter: ModelMeter | undefined): ModelCase | undefined {
    const at = this.at(meter);
    return at && this.cases.get(at.ref);
  }

  /** Assigns the slot that a confirmed meter will have, on its page when that exists. */
  assign(zone: number, page: number, slot: number, fresh: ModelSlot): void {
    this.assigned.set(`${zone}/${page}/${slot}`, fresh);
    this.page(zone, page)?.slots.set(slot, fresh);
  }

  /**
   * Returns the bitmap of the zone's attestors among the signers; undefined when a signer is no attestor, or they are
   * too few.
   */
  quorum(zone: ModelZone, signers: readonly string[]): number | undefined {
    let bitmap = 0;
    for (const signer of signers) {
      const place = zone.inForce.keys.indexOf(signer);
      if (place < 0) return undefined;
      bitmap |= 1 << place;
    }
    const least = this.on('quorum') ? zone.inForce.threshold : 1;
    return zone.inForce.threshold > 0 && popcount(bitmap) >= least ? bitmap : undefined;
  }

  /** Returns true when the statement is about this meter and network, and its quality counts. */
  valid(meter: ModelMeter, said: Said): boolean {
    const quality = !this.on('quality') || (said.quality & BAD_QUALITY) === 0;
    return said.network && said.about === meter.name && quality;
  }

  byPresentKey(meter: ModelMeter, said: Said): boolean {
    if (this.on('presentKey') && said.key !== meter.key) return false;
    return !this.on('firstWindow') || said.window >= meter.firstValid;
  }

  /** Returns the totals that the registers give. */
  totals(meter: ModelMeter, raw: Pair): Pair | undefined {
    const exported = raw.exportWh - meter.baseline.exportWh;
    const imported = raw.importWh - meter.baseline.importWh;
    if (exported < 0n || imported < 0n) return undefined;
    return { exportWh: meter.carried.exportWh + exported, importWh: meter.carried.importWh + imported };
  }

  /** Returns true without a dispute, and without a change of the key within 96 windows. */
  settled(meter: ModelMeter): boolean {
    if (this.slotOf(meter)?.disputed) return false;
    return !this.on('rotationTime') || meter.rotated === 0 || this.now >= meter.rotated + DAY;
  }

  /** Returns true when a signature covers the slot as the record counts it. */
  signedFor(slot: ModelSlot, meter: ModelMeter): boolean {
    if (!this.on('signedFor')) return true;
    return (slot.attestors !== 0 || slot.submitted) && slot.window > meter.baselineWindow;
  }

  /** Continues a slot under another baseline: no signature covers it any more. */
  restart(slot: ModelSlot, meter: ModelMeter): void {
    Object.assign(slot, { moved: true });
    if (!this.on('restart')) return;
    Object.assign(slot, { submitted: false, attestors: 0, epoch: 0 });
    slot.window = Math.max(slot.window, meter.firstValid - 1);
  }
}
