import { connect, createServer, type Server } from 'node:net';
import { listenError } from '@gridtokenx/runtime/node';

/** Where to listen, and which key of the configuration says so. */
export interface ProxyAddress {
  readonly host: string;
  readonly port: number;
  readonly key: string;
}

/**
 * Serves an address by passing every connection on to `targetPort` on the loopback interface. The embedded node chooses
 * its own ports at every start; people, wallets and the other processes need ones that stay. Rejects with `OperatorError`
 * when the address cannot be used.
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
