import { SeqAllocator } from '#edge/domain/signing/seq.js';
import type { Control } from '../campaign.js';
import { rules } from '../disk/rules.js';

const flip = (name: keyof typeof rules) => () => {
  rules[name] = !rules[name];
  return () => {
    rules[name] = !rules[name];
  };
};

/** Assigns seqs from memory, like an allocator without a durable reservation. */
function withoutReservation(): () => void {
  const before = SeqAllocator.prototype.take;
  const next = new WeakMap<SeqAllocator, bigint>();
  const made = Object.getOwnPropertyDescriptor(SeqAllocator.prototype, 'next');
  SeqAllocator.prototype.take = async function take(this: SeqAllocator) {
    const seq = next.get(this) ?? (made?.get?.call(this) as bigint);
    next.set(this, seq + 1n);
    return seq;
  };
  Object.defineProperty(SeqAllocator.prototype, 'next', {
    ...made,
    get(this: SeqAllocator) {
      return next.get(this) ?? made?.get?.call(this);
    },
  });
  return () => {
    SeqAllocator.prototype.take = before;
    if (made) Object.defineProperty(SeqAllocator.prototype, 'next', made);
  };
}

/** Rules that are switched off one at a time; the campaign must notice each. */
export const killControls: Readonly<Record<string, Control>> = {
  'ack-rule': {
    about: "the broker's answer counts as an ack: the gateway does not send again, and drops from the spool",
    seeds: 20,
    install: flip('ack'),
  },
  'drop-rule': {
    about: 'the spool drops messages that the broker answered, even without an ack of an oracle',
    seeds: 20,
    install: flip('dropAfterAck'),
  },
  'seq-reservation': { about: 'seqs are not reserved before they are used', seeds: 40, install: withoutReservation },
  'gateway-sync': { about: 'the spool is published before it is synced', seeds: 20, install: flip('gatewaySync') },
  'page-version': {
    about: 'a page restored from a snapshot accepts transactions built on the newer page',
    seeds: 20,
    install: flip('pageVersion'),
  },
  'ledger-sync': { about: 'the ledger acknowledges before it is synced', seeds: 20, install: flip('ledgerSync') },
};
