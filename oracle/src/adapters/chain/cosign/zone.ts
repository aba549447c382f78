import { decodeZone, pda, type RawAccount } from '@gridtokenx/chain-client';
import { NodeUnavailable } from '@gridtokenx/chain-sender';
import type { Clock } from '@gridtokenx/runtime/core';
import type { PublicKey } from '@solana/web3.js';
import type { LeaderSchedule } from '../../../domain/settlement/cosigning/judge.js';
import type { LeaderTurn } from '../../../domain/settlement/ports.js';

/** Holds the registry's attestors of a zone. */
export interface ZoneSet {
  readonly attestors: readonly PublicKey[];
  readonly threshold: number;
  readonly capacityW: bigint;
}

/** Reads a zone. The function throws `NodeUnavailable`. */
export function zoneReader(account: (key: PublicKey) => Promise<RawAccount | null>) {
  return async (zone: number): Promise<ZoneSet> => {
    const found = await account(pda.zone(zone));
    if (!found) throw new NodeUnavailable(`zone ${zone} does not exist`);
    const { attestors, threshold, capacityW } = decodeZone(found);
    return { attestors, threshold, capacityW };
  };
}

/** Leads in turn, by place in the zone's set. */
export function zoneSchedule(
  turns: LeaderSchedule,
  own: PublicKey,
  zoneSet: (zone: number) => Promise<ZoneSet>,
  clock: Clock,
): LeaderTurn {
  return {
    async wait(zone, page, what, turn) {
      const { attestors } = await zoneSet(zone);
      const place = attestors.findIndex((key) => key.equals(own));
      if (place < 0) throw new NodeUnavailable(`${own.toBase58()} is no attestor of zone ${zone}`);
      // Mints and attestations are counted apart: one that waits must not begin the other's rounds anew.
      const settler = `${zone}/${page}/${what.split(' ', 1)[0]}`;
      return turns.wait(settler, what, turn, { place, count: attestors.length }, clock.monotonicMs());
    },
  };
}
