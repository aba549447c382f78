import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { createServer, type Server } from 'node:net';

/**
 * Locks a data directory for one process: two processes would assign the same seqs. The lock is a name in the kernel
 * (Linux), so it ends with its holder, however the holder died. Resolves with null when another process holds it.
 */
export function lockDirectory(directory: string): Promise<Server | null> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  if (process.platform !== 'linux') return Promise.resolve(server);
  const name = createHash('sha256').update(realpathSync(directory)).digest('hex').slice(0, 32);
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null);
      else reject(error);
    });
    server.listen(`\0gridtokenx-gateway-${name}`, () => resolve(server));
  });
}
