import { createServer, type Server, type Socket } from 'node:net';
import { fromMbap, toMbap } from './mbap.js';
import type { FakeMeter, MeterAnswer } from './profile-meter.js';

export interface TcpRequest {
  readonly transaction: number;
  readonly unit: number;
  readonly fn: number;
  readonly address: number;
  readonly count: number;
}

export interface TcpDeviceOptions {
  readonly meter: FakeMeter;
  /** Changes a reply, or drops it with null. Default: the reply of a device that keeps the rules. */
  readonly reply?: (request: TcpRequest, answer: MeterAnswer, index: number) => Buffer | null;
  /** Called for each connection, the first with 1; may close it. */
  readonly accepted?: (socket: Socket, index: number) => void;
}

/** A device on Modbus TCP at a loopback address, which may break the rules. */
export class TcpDevice {
  readonly requests: TcpRequest[] = [];
  readonly sockets: Socket[] = [];
  readonly #options: TcpDeviceOptions;
  readonly #server: Server;

  constructor(options: TcpDeviceOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(options: TcpDeviceOptions): Promise<TcpDevice> {
    const device = new TcpDevice(options);
    await new Promise<void>((resolve) => device.#server.listen(0, '127.0.0.1', resolve));
    return device;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    this.sockets.push(socket);
    socket.on('error', () => {});
    this.#options.accepted?.(socket, this.sockets.length);
    socket.on('data', (bytes) => {
      for (const { transaction, unit, pdu } of fromMbap(bytes)) {
        const request = {
          ...{ transaction, unit, fn: pdu[0] ?? 0 },
          ...{ address: pdu.readUInt16BE(1), count: pdu.readUInt16BE(3) },
        };
        this.requests.push(request);
        const answer = this.#options.meter(request.fn, request.address, request.count);
        const change = this.#options.reply ?? ((_request, given) => replyOf(request, given));
        const reply = change(request, answer, this.requests.length);
        if (reply && socket.writable) socket.write(reply);
      }
    });
  }
}

/** Encodes an answer by the rules; `over` replaces transaction or unit. Null: no answer. */
export function replyOf(
  request: TcpRequest,
  answer: MeterAnswer,
  over: Partial<Pick<TcpRequest, 'transaction' | 'unit'>> = {},
): Buffer | null {
  if (answer === null) return null;
  const { transaction, unit, fn } = { ...request, ...over };
  const pdu = typeof answer === 'number' ? [fn + 0x80, answer] : [fn, answer.length, ...answer];
  return toMbap(transaction, unit, pdu);
}

/** Builds a meter of words of holding registers: it refuses every other read with exception 2. */
export function wordsMeter(words: ReadonlyMap<number, number>): FakeMeter {
  return (fn, address, count) => {
    const found = Array.from({ length: count }, (_, i) => words.get(address + i));
    if (fn !== 3 || found.includes(undefined)) return 2;
    return Uint8Array.from((found as number[]).flatMap((word) => [word >> 8, word & 0xff]));
  };
}
