import { SlotFlag, type SlotRead } from './ports.js';

/**
 * Another oracle may have read the registry so many slots of the chain earlier than this one: a minute, finality and the
 * registry's poll included.
 */
const MAX_BEHIND_CHAIN_SLOTS = 150;

/**
 * How a slot that something else than attest_page moved stands to the registry as it was read last. `unexplained`: the record
 * may be older than the move. `explained`: here it is not, another oracle's may be. `known`: to every oracle.
 */
export type MoveState = 'unexplained' | 'explained' | 'known';

/**
 * Remembers at which slot of the chain each moved slot was first seen in its state. A page is read sooner than the registry,
 * so totals under a record from before the move could contradict what the device says next.
 */
export class MovedSlots {
  readonly #registryChainSlot: () => number;
  /** By page and slot; at most one entry for each slot of our pages. */
  readonly #seen = new Map<string, { readonly state: string; readonly chainSlot: number }>();

  /** `registryChainSlot`: slot of the chain at which the registry was read last. */
  constructor(registryChainSlot: () => number) {
    this.#registryChainSlot = registryChainSlot;
  }

  /** Notes the slots of a page as they were read at `chainSlot`, and says how each stands. */
  observe(
    page: { readonly zone: number; readonly page: number; readonly slots: readonly SlotRead[] },
    chainSlot: number,
  ): (slot: number) => MoveState {
    for (const [index, slot] of page.slots.entries()) {
      const key = `${page.zone}/${page.page}/${index}`;
      if ((slot.flags & SlotFlag.moved) === 0) {
        this.#seen.delete(key);
        continue;
      }
      const state = Object.values(slot).join('/');
      const before = this.#seen.get(key);
      // A chain that came back older shows the same state at a lower slot.
      const since = before?.state === state ? Math.min(before.chainSlot, chainSlot) : chainSlot;
      this.#seen.set(key, { state, chainSlot: since });
    }
    return (slot) => this.#standing(`${page.zone}/${page.page}/${slot}`);
  }

  #standing(key: string): MoveState {
    const since = this.#seen.get(key)?.chainSlot;
    if (since === undefined) return 'known';
    const behind = this.#registryChainSlot() - since;
    if (behind < 0) return 'unexplained';
    return behind < MAX_BEHIND_CHAIN_SLOTS ? 'explained' : 'known';
  }
}
