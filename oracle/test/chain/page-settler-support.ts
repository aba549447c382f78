import type { SettlerHarness } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import type { ChainNode, SettlementStore } from '../../src/domain/settlement/ports.js';

/** Base units that the settlements in force say were minted. */
export function keptUnits(harness: SettlerHarness): bigint {
  return harness.settlements().reduce((sum, row) => (row.undone ? sum : sum + row.minted), 0n);
}

/** The methods of a node as an object that can be spread. */
export function through(node: ChainNode): ChainNode {
  return {
    readPage: (zone, page) => node.readPage(zone, page),
    send: (raw) => node.send(raw),
    outcome: (signature) => node.outcome(signature),
    blockhashState: (intent) => node.blockhashState(intent),
  };
}

/** A store with some methods replaced. */
export function changed(store: SettlementStore, methods: Partial<SettlementStore>): SettlementStore {
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(name in methods ? methods : target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

export function withoutIntents(store: SettlementStore): SettlementStore {
  return changed(store, { add: (intent) => ({ ...intent, id: 0, createdAtMs: 0 }) });
}
