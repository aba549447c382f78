import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '@gridtokenx/runtime/core';
import { systemClock } from '@gridtokenx/runtime/node/system';
import { type Carrier, converterCarrier, rtuCarrier, tcpCarrier } from './line/carrier.js';
import { type Chance, seededChance } from './line/chance.js';
import { type LineMeter, MeterLine, type SecondMaster } from './line/meter-line.js';
import { type Framer, type ModbusUnit, mbapFramer, type Request, rtuFramer } from './modbus-frames.js';

/** Transport of a meter: Modbus TCP, or RTU frames over a TCP connection as serial converters carry them. */
export type MeterTransport = 'tcp' | 'rtu-over-tcp';

/** Silence that ends an RTU frame, real ms. */
const SILENCE_MS = 20;
const MAX_CONNECTIONS = 32;

export interface ModbusServerOptions {
  /** Modbus TCP: a converter that sends every frame of its line under the transaction of the newest open request. */
  readonly converter?: boolean;
  /** RTU frames: every request comes back. */
  readonly echo?: boolean;
  readonly gatherMs?: number;
  readonly secondMaster?: SecondMaster;
  /** For tests; default: the machine's clock. */
  readonly time?: Pick<Clock, 'monotonicMs' | 'after'>;
  readonly chance?: Chance;
}

/**
 * Serves meters at one listening address. A request to an absent unit gets no answer, as on a line. Raw RTU answers go
 * to the newest connection, whoever asked: a converter's frames outlive a connection.
 */
export class ModbusServer {
  readonly transport: MeterTransport;
  /** Counts of requests and answers. */
  readonly line: MeterLine;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #newest: Request | null = null;

  /** `meters`: meters on a line, or only registers by unit, which answer at once. */
  constructor(
    transport: MeterTransport,
    meters: readonly LineMeter[] | ReadonlyMap<number, ModbusUnit>,
    options: ModbusServerOptions = {},
  ) {
    this.transport = transport;
    this.line = new MeterLine({
      meters: 'get' in meters ? [...meters].map(([unit, registers]) => promptMeter(unit, registers)) : meters,
      carrier: this.#carrier(options.converter ?? false),
      // A converter's port has its meters' settings.
      master: () => ({ baud: null, parity: null }),
      time: options.time ?? systemClock,
      chance: options.chance ?? seededChance(1),
      gatherMs: options.gatherMs ?? 0,
      echo: (options.echo ?? false) && transport === 'rtu-over-tcp',
      ...(options.secondMaster ? { secondMaster: options.secondMaster } : {}),
    });
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
    if (transport === 'rtu-over-tcp')
      this.line.startSecondMaster({ say: (bytes) => this.#toNewest(bytes), end: () => {} });
  }

  /** Counts the requests answered since the start, exceptions included. */
  get answered(): number {
    return this.line.answered;
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
    this.line.close();
    this.dropConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  /** Ends every connection; frames on the line stay. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #carrier(isConverter: boolean): Carrier {
    if (this.transport === 'rtu-over-tcp') return rtuCarrier;
    if (!isConverter) return tcpCarrier;
    return converterCarrier(
      () => this.#newest,
      () => {
        this.#newest = null;
      },
    );
  }

  #toNewest(bytes: Uint8Array): void {
    const newest = [...this.#sockets].at(-1);
    if (newest?.writable) newest.write(bytes);
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const isRtu = this.transport === 'rtu-over-tcp';
    const framer: Framer = isRtu ? rtuFramer() : mbapFramer();
    let silence: NodeJS.Timeout | undefined;
    const reply = {
      say: (bytes: Uint8Array) => {
        if (isRtu) this.#toNewest(bytes);
        else if (socket.writable) socket.write(bytes);
      },
      end: () => socket.destroySoon(),
    };
    const answer = (requests: ReturnType<Framer['silence']>) => {
      for (const request of requests) {
        this.#newest = request;
        this.line.ask(request, reply);
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
    // A reset by the client is no fault of the server; 'close' follows.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(silence);
      this.#sockets.delete(socket);
    });
  }
}

/** Builds a meter that answers at once, at any speed, without faults. */
const promptMeter = (unit: number, registers: ModbusUnit): LineMeter => ({
  unit,
  registers,
  settings: null,
  turnaroundMs: () => 0,
  faults: null,
  isDown: () => false,
});
