import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { answerPdu, type Framer, type ModbusUnit, mbapFramer, rtuFramer } from './modbus-frames.js';

/** How a meter is reached: Modbus TCP, or RTU frames over a TCP connection as serial converters carry them. */
export type MeterTransport = 'tcp' | 'rtu-over-tcp';

/** After this much silence what was received of an RTU frame is all there is; real milliseconds. */
const SILENCE_MS = 20;
const MAX_CONNECTIONS = 32;

/** One listening address with its units. A request to a unit that is not there gets no answer, as on a line. */
export class ModbusServer {
  readonly transport: MeterTransport;
  readonly #units: ReadonlyMap<number, ModbusUnit>;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Requests answered since the start, exceptions included. */
  answered = 0;

  constructor(transport: MeterTransport, units: ReadonlyMap<number, ModbusUnit>) {
    this.transport = transport;
    this.#units = units;
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Listens and returns the port (a free one for 0). Rejects with the system's error, such as EADDRINUSE. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', reject);
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const framer: Framer = this.transport === 'tcp' ? mbapFramer() : rtuFramer();
    let silence: NodeJS.Timeout | undefined;
    const answer = (requests: ReturnType<Framer['silence']>) => {
      for (const { unit, pdu, wrap } of requests) {
        const target = this.#units.get(unit);
        if (!target) continue;
        this.answered++;
        socket.write(wrap(answerPdu(target, pdu)));
      }
    };
    socket.on('data', (bytes) => {
      clearTimeout(silence);
      const requests = framer.push(bytes);
      if (!requests) {
        socket.destroy();
        return;
      }
      answer(requests);
      silence = setTimeout(() => answer(framer.silence()), SILENCE_MS);
    });
    // A reset by the client is the client's business; 'close' follows.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(silence);
      this.#sockets.delete(socket);
    });
  }
}
