import type { Control } from '../campaign.js';
import { rules } from '../disk/rules.js';

const flip = (name: keyof typeof rules) => () => {
  rules[name] = !rules[name];
  return () => {
    rules[name] = !rules[name];
  };
};

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
  'seq-reservation': {
    about: 'seqs are not reserved before they are used',
    seeds: 40,
    install: flip('seqReservation'),
  },
  'gateway-sync': { about: 'the spool is published before it is synced', seeds: 20, install: flip('gatewaySync') },
  'page-version': {
    about: 'a page restored from a snapshot accepts transactions built on the newer page',
    seeds: 20,
    install: flip('pageVersion'),
  },
  'ledger-sync': { about: 'the ledger acknowledges before it is synced', seeds: 20, install: flip('ledgerSync') },
};
