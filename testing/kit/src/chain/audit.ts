import { auditChain } from '@gridtokenx/audit/main';
import type { PublicKey } from '@solana/web3.js';
import type { World } from './world.js';

/** Returns the findings, one a line, on the node at `url` with one account changed; restores the account. */
export async function findingsAfter(
  world: World,
  url: string,
  address: PublicKey,
  change: (data: Buffer) => void,
): Promise<string> {
  const account = world.chain.account(address);
  if (!account) throw new Error(`no account ${address.toBase58()}`);
  const data = Buffer.from(account.data);
  change(data);
  world.chain.put(address, { owner: account.owner, data });
  const result = await auditChain(url);
  world.chain.put(address, account);
  return result.findings.join('\n');
}
