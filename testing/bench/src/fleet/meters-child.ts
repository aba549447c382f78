import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { answerTo, registersAt } from './meter-table.js';

/**
 * Simulates meters of Modbus TCP on loopback in its own process, a port each. Sends the ports to its parent, and ends
 * with it. Argument: number of meters.
 */
const BASE_WH = 1_000_000;
const startedAtMs = Date.now();
let requests = 0;

function serve(socket: Socket): void {
  let input: Buffer = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes: Buffer) => {
    input = input.length === 0 ? bytes : Buffer.concat([input, bytes]);
    // One watt-hour a second, as a meter of 3.6 kW shows.
    const registers = registersAt(BASE_WH + Math.floor((Date.now() - startedAtMs) / 1_000));
    for (let next = answerTo(input, registers); next; next = answerTo(input, registers)) {
      requests++;
      input = input.subarray(next.used);
      socket.write(next.answer);
    }
  });
}

const ports: number[] = [];
for (let i = 0; i < Number(process.argv[2]); i++) {
  const server = createServer(serve);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ports.push((server.address() as AddressInfo).port);
}
process.on('disconnect', () => process.exit());
process.on('message', () => process.send?.({ requests }));
process.send?.({ ports });
