import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PublicKey } from '@solana/web3.js';
import type { Chain } from './harness.js';

interface Request {
  readonly id: unknown;
  readonly method: string;
  readonly params?: readonly unknown[];
}
interface Filter {
  readonly memcmp?: { readonly offset: number; readonly bytes: string };
}

/**
 * Serves the few read-only RPC methods that a check needs. Reads a chain in this process and listens on a free port of
 * 127.0.0.1.
 */
export class ReadOnlyRpc {
  readonly #chain: Chain;
  readonly #genesisHash: string;
  readonly #server: Server;

  constructor(chain: Chain, genesisHash: string) {
    this.#chain = chain;
    this.#genesisHash = genesisHash;
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as Request;
        const result = this.#answer(body.method, body.params ?? []);
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ jsonrpc: '2.0', id: body.id, result }));
      });
    });
  }

  /** Starts listening; returns the URL. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(method: string, params: readonly unknown[]): unknown {
    const context = { slot: 1, apiVersion: '0' };
    switch (method) {
      case 'getGenesisHash':
        return this.#genesisHash;
      case 'getSlot':
        return 1;
      case 'getAccountInfo':
        return { context, value: this.#account(String(params[0])) };
      case 'getProgramAccounts':
        return this.#ofProgram(String(params[0]), ((params[1] ?? {}) as { filters?: Filter[] }).filters ?? []);
      default:
        throw new Error(`no RPC method ${method}`);
    }
  }

  #account(address: string): object | null {
    const found = this.#chain.account(new PublicKey(address));
    if (!found) return null;
    const data = [Buffer.from(found.data).toString('base64'), 'base64'];
    return {
      data,
      owner: found.owner.toBase58(),
      executable: false,
      lamports: 1,
      rentEpoch: 0,
      space: found.data.length,
    };
  }

  #ofProgram(program: string, filters: readonly Filter[]): object[] {
    const wanted = filters.flatMap(({ memcmp }) =>
      memcmp ? [{ offset: memcmp.offset, bytes: new PublicKey(memcmp.bytes).toBytes() }] : [],
    );
    return this.#chain.svm.getProgramAccounts(new PublicKey(program).toBytes()).flatMap((entry) => {
      const data = entry.account().data();
      const matches = wanted.every(({ offset, bytes }) => bytes.every((byte, index) => data[offset + index] === byte));
      const pubkey = new PublicKey(entry.address).toBase58();
      return matches ? [{ pubkey, account: this.#account(pubkey) }] : [];
    });
  }
}
