import { Connection } from '@solana/web3.js';

/** A node without an answer within this time counts as away; real milliseconds. */
const RPC_TIMEOUT_MS = 10_000;

/**
 * Opens a connection to a node, whose requests time out. `wsEndpoint`: the address of its subscriptions, if not above
 * the RPC.
 */
export function connectTo(url: string, wsEndpoint?: string): Connection {
  return new Connection(url, {
    commitment: 'confirmed',
    disableRetryOnRateLimit: true,
    fetch: (to, init) => fetch(to as string, { ...(init as RequestInit), signal: AbortSignal.timeout(RPC_TIMEOUT_MS) }),
    ...(wsEndpoint === undefined ? {} : { wsEndpoint }),
  });
}
