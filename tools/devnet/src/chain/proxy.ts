import { connect, createServer, type Server } from 'node:net';

/**
 * Serves `port` on `host` by passing every connection on to `targetPort` on the loopback interface. The embedded node
 * chooses its own ports at every start; people, wallets and the other processes need ones that stay.
 */
export function startProxy(host: string, port: number, targetPort: number): Promise<Server> {
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
    server.once('error', reject);
    server.listen(port, host, () => resolve(server));
  });
}
