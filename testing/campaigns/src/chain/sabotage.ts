import { pda } from '@gridtokenx/chain-client';
import type { Chain } from '@gridtokenx/testing-kit/chain/harness';
import type { PublicKey } from '@solana/web3.js';
import type { Model } from './model.js';
import { HOME } from './names.js';
import type { Instruction } from './ops.js';

/** Ways to change the chain behind the programs' backs, as a wrong program would: an invariant must notice each. */
export const SABOTAGES = [
  'energyByStatus',
  'energyByRefused',
  'energyByActivation',
  'mintByOwner',
  'mintBeyondBudget',
  'capacityForgotten',
  'windowFalls',
] as const;
export type Sabotage = (typeof SABOTAGES)[number];

function change(chain: Chain, address: PublicKey, edit: (data: Buffer) => void): boolean {
  const account = chain.account(address);
  if (!account || account.data.length === 0) return false;
  const data = Buffer.from(account.data);
  edit(data);
  chain.put(address, { owner: account.owner, data });
  return true;
}

const add64 = (at: number, by: bigint) => (data: Buffer) => {
  data.writeBigUInt64LE(data.readBigUInt64LE(at) + by, at);
};

/** Changes the chain after an op when it fits the sabotage. */
export function sabotage(kind: Sabotage, chain: Chain, model: Model, op: Instruction, accepted: boolean): void {
  const meter = 'meter' in op ? model.meters.get(op.meter) : undefined;
  const place = meter?.place;
  const page = meter && place ? pda.meterPage(meter.zone, place.page) : undefined;
  const exportAt = 96 + 32 * (place?.slot ?? 0);
  switch (kind) {
    case 'energyByStatus':
      if (op.kind === 'status' && accepted && page) change(chain, page, add64(exportAt, 1n));
      break;
    case 'energyByRefused':
      if (op.kind === 'submit' && !accepted && page) change(chain, page, add64(exportAt, 1n));
      break;
    case 'energyByActivation':
      if (op.kind === 'activate' && accepted && page) change(chain, page, add64(exportAt + 8, 1n));
      break;
    case 'mintByOwner':
      if (op.kind === 'destination' && accepted && meter && place)
        change(chain, pda.ledgerPage(meter.zone, place.page), add64(64 + 56 * place.slot, 1n));
      break;
    case 'mintBeyondBudget':
      if (op.kind === 'mintPage' && accepted && (model.budgets.get(HOME)?.mintedWh ?? 0n) > 0n)
        change(chain, pda.budget(HOME), (data) => data.writeUInt32LE(data.readUInt32LE(20), 16));
      break;
    case 'capacityForgotten':
      if (op.kind === 'confirm' && accepted && (model.zones.get(HOME)?.confirmedW ?? 0n) > 0n)
        change(chain, pda.zone(HOME), add64(528, -1n));
      break;
    case 'windowFalls':
      if (op.kind === 'attest' && !accepted)
        change(chain, pda.meterPage(op.zone, op.page), (data) =>
          data.writeUInt32LE(Math.max(0, data.readUInt32LE(20) - 1), 20),
        );
      break;
  }
}
