import { base58Encode } from '@gridtokenx/protocol';
import { systemClock } from '@gridtokenx/runtime/node';
import { type RpcAccount, rpc, type WithSlot } from './rpc.js';

export const TOKEN_2022 = 'TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb';
const SYSTEM = '11111111111111111111111111111111';
/** Maximum number of attempts when slots advance between a snapshot's parts. */
const ATTEMPTS = 50;

/** State of the chain at one slot: everything that the embedded node needs to continue after a restart. */
export interface Snapshot {
  readonly slot: number;
  readonly takenAtMs: number;
  readonly accounts: readonly RpcAccount[];
}

/** The accounts that belong to a snapshot. */
export interface SnapshotScope {
  /** Every account that these programs own. */
  readonly programs: readonly string[];
  /** Token-2022 mints: the mints themselves and every token account of theirs, whoever holds it. */
  readonly mints: readonly string[];
  /** Wallets whose SOL is kept, beside the owners of the token accounts. */
  readonly wallets: readonly string[];
}

const COMMITMENT = { commitment: 'confirmed', encoding: 'base64' };

async function collectOnce(url: string, scope: SnapshotScope): Promise<Snapshot | null> {
  const parts = await Promise.all([
    ...scope.programs.map((program) =>
      rpc<WithSlot<RpcAccount[]>>(url, 'getProgramAccounts', [program, { ...COMMITMENT, withContext: true }]),
    ),
    ...scope.mints.map((mint) =>
      rpc<WithSlot<RpcAccount[]>>(url, 'getProgramAccounts', [
        TOKEN_2022,
        { ...COMMITMENT, withContext: true, filters: [{ memcmp: { offset: 0, bytes: mint } }] },
      ]),
    ),
  ]);
  const found = parts.flatMap((part) => part.value);
  const single = [...new Set([...scope.mints, ...scope.wallets, ...tokenOwners(found)])];
  const infos: WithSlot<(RpcAccount['account'] | null)[]>[] = [];
  for (let at = 0; at < single.length; at += 100) {
    const page = single.slice(at, at + 100);
    infos.push(await rpc(url, 'getMultipleAccounts', [page, COMMITMENT]));
  }
  const slots = new Set([...parts, ...infos].map((part) => part.context.slot));
  const [slot] = slots;
  if (slots.size !== 1 || slot === undefined) return null;
  const wanted = single.flatMap((pubkey, i) => {
    const account = infos[Math.floor(i / 100)]?.value[i % 100];
    return account ? [{ pubkey, account }] : [];
  });
  return { slot, takenAtMs: systemClock.nowMs(), accounts: [...found, ...wanted] };
}

/** Returns wallets (system accounts) that hold token accounts among `accounts`: bytes 32 to 64 of a token account. */
function tokenOwners(accounts: readonly RpcAccount[]): string[] {
  return accounts
    .filter(({ account }) => account.owner === TOKEN_2022)
    .map(({ account }) => base58Encode(Buffer.from(account.data[0], 'base64').subarray(32, 64)));
}

/** Reads everything in `scope` at one slot; repeats when a slot passed between the parts. Throws after 50 attempts. */
export async function takeSnapshot(url: string, scope: SnapshotScope): Promise<Snapshot> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const snapshot = await collectOnce(url, scope);
    if (snapshot) return snapshot;
  }
  throw new Error(`no snapshot of one slot in ${ATTEMPTS} attempts: is the machine overloaded?`);
}

/** Restores a snapshot's accounts. System accounts keep only their SOL. */
export async function restoreSnapshot(url: string, snapshot: Snapshot): Promise<void> {
  for (const { pubkey, account } of snapshot.accounts) {
    const data = account.owner === SYSTEM ? '' : Buffer.from(account.data[0], 'base64').toString('hex');
    await rpc(url, 'surfnet_setAccount', [
      pubkey,
      { lamports: account.lamports, owner: account.owner, data, executable: account.executable },
    ]);
  }
}
