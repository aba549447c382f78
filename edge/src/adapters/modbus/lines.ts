import { closeSync, readSync, writeSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { type Line, LineGone, type OpenLine } from '../../domain/bus/ports.js';

const NOTHING = new Uint8Array(0);
const KEEP_ALIVE_MS = 10_000;
/** Bytes that a peer may send without a request before the gateway drops the connection. */
const MAX_UNREAD = 65_536;

class SocketLine implements Line {
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #unread = 0;
  #gone: string | null = null;
  #arrived = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#chunks.push(bytes);
      this.#unread += bytes.length;
      if (this.#unread > MAX_UNREAD) this.#end('the peer sends without end');
      this.#arrived();
    });
    socket.on('error', (error) => this.#end(error.message));
    socket.on('close', () => this.#end('the peer closed the connection'));
  }

  #end(reason: string): void {
    this.#gone ??= reason;
    this.#socket.destroy();
    this.#arrived();
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#gone) throw new LineGone(this.#gone);
    // Not awaited: a failed write shows as a missing answer.
    this.#socket.write(bytes);
  }

  read(): Uint8Array {
    if (this.#chunks.length === 0) {
      if (this.#gone) throw new LineGone(this.#gone);
      return NOTHING;
    }
    const [first] = this.#chunks;
    const bytes = this.#chunks.length === 1 && first ? first : Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#unread = 0;
    return bytes;
  }

  onArrival(call: () => void): void {
    this.#arrived = call;
  }

  async close(): Promise<void> {
    this.#socket.destroy();
  }
}

/** Opens TCP connections: Modbus TCP, or raw RTU frames as converters carry them. */
export function socketLine(host: string, port: number): OpenLine {
  return () =>
    new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new SocketLine(socket));
      });
    });
}

/** Settings of a serial port. */
export interface SerialSettings {
  readonly path: string;
  readonly baud: number;
  readonly parity: 'none' | 'even' | 'odd';
  readonly stopBits: 1 | 2;
}

/** The part of serialport's opened binding that is used here. */
interface Opened {
  readonly fd: number | null;
  close(): Promise<void>;
}

/** Size of the read buffer: more than the kernel holds for a line. */
const ROOM_BYTES = 8_192;

/**
 * Reads and writes a serial line. The library opens, sets and locks the port. Bytes are read from its file when the bus
 * polls it, not when they arrive. An event for each byte is what makes serial lines cost CPU time.
 */
class SerialLine implements Line {
  readonly #port: Opened;
  readonly #room = Buffer.alloc(ROOM_BYTES);

  constructor(port: Opened) {
    this.#port = port;
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      if (writeSync(this.#fd(), bytes) < bytes.length) throw new LineGone('the port accepts no more bytes');
    } catch (error) {
      throw goneBy(error);
    }
  }

  read(): Uint8Array {
    let length: number;
    try {
      length = readSync(this.#fd(), this.#room);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return NOTHING;
      throw goneBy(error);
    }
    // A terminal's file ends when the adapter is unplugged.
    if (length === 0) throw new LineGone('the port was unplugged');
    return Uint8Array.prototype.slice.call(this.#room, 0, length);
  }

  onArrival(): void {}

  async close(): Promise<void> {
    const fd = this.#port.fd;
    try {
      await this.#port.close();
    } catch {
      // The library cannot close an unplugged port; an open file would keep the port's name in use.
      if (fd !== null) tryClose(fd);
    }
  }

  #fd(): number {
    const { fd } = this.#port;
    if (fd === null) throw new LineGone('the port is closed');
    return fd;
  }
}

function goneBy(error: unknown): LineGone {
  if (error instanceof LineGone) return error;
  return new LineGone((error as Error).message, { cause: error });
}

function tryClose(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // The file was closed already.
  }
}

/** Opens a serial port through serialport's binding, not its stream. The package is loaded at the first use. */
export function serialLine({ path, baud, parity, stopBits }: SerialSettings): OpenLine {
  return async () => {
    const { SerialPort } = await import('serialport');
    const port = await SerialPort.binding.open({ path, baudRate: baud, parity, stopBits, dataBits: 8, lock: true });
    return new SerialLine(port as unknown as Opened);
  };
}
