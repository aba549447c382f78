import { Connection } from '@solana/web3.js';

/** A node that has not answered by then is away; real milliseconds. */
const RPC_TIMEOUT_MS = 10_000;

/** A connection to a node whose requests end in time. `wsEndpoint`: where its subscriptions are, if not above the RPC. */
export function connectTo(url: string, wsEndpoint?: string): Connection {
  return new Connection(url, {
    commitment: 'confirmed',
    disableRetryOnRateLimit: true,
    fetch: (to, init) => fetch(to as string, { ...(init as RequestInit), signal: AbortSignal.timeout(RPC_TIMEOUT_MS) }),
    ...(wsEndpoint === undefined ? {} : { wsEndpoint }),
  });
}
