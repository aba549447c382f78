import { connect, createServer, type Server } from 'node:net';
import { listenError } from '@gridtokenx/runtime/node';

/** Address to listen on, and the key of the configuration that states it. */
export interface ProxyAddress {
  readonly host: string;
  readonly port: number;
  readonly key: string;
}

/**
 * Serves an address by forwarding every connection to `targetPort` on the loopback interface. The embedded node chooses
 * new ports at every start; people, wallets and the other processes need fixed ports. Rejects with `OperatorError` when
 * it cannot listen on the address.
 */
export function startProxy(address: ProxyAddress, targetPort: number): Promise<Server> {
  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1');
    client.pipe(upstream).pipe(client);
    const close = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on('error', close);
      socket.on('close', close);
    }
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, address.key, address)));
    server.listen(address.port, address.host, () => resolve(server));
  });
}
