/** One account in the RPC's base64 encoding. */
export interface RpcAccount {
  readonly pubkey: string;
  readonly account: { data: [string, 'base64']; executable: boolean; lamports: number; owner: string };
}

/** A value with the slot at which the node answered. */
export interface WithSlot<T> {
  readonly context: { slot: number };
  readonly value: T;
}

/** A live node on this machine answers in milliseconds. */
const TIMEOUT_MS = 10_000;

/** Calls JSON-RPC directly: the snapshot needs slots beside values, which web3.js hides for program accounts. */
export async function rpc<T>(url: string, method: string, params: unknown[]): Promise<T> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const answer = (await response.json()) as { result?: T; error?: { code: number; message: string } };
  if (answer.error) throw new Error(`${method}: ${answer.error.message} (${answer.error.code})`);
  return answer.result as T;
}
