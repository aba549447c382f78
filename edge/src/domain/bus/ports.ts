import type { ReadRequest } from './frames.js';

/** A serial line or a network connection that carries frames. */
export interface Line {
  /** Hands bytes to the operating system; rejects with `LineGone` when the line is gone. */
  write(bytes: Uint8Array): Promise<void>;
  /** Everything that arrived since the last call, what the operating system holds included. Throws `LineGone`. */
  read(): Uint8Array;
  /** Calls whenever something may have arrived, where the line can tell. A line that cannot is looked at by the clock. */
  onArrival(call: () => void): void;
  /** Resolves when the line may be opened again; never rejects. */
  close(): Promise<void>;
}

/** Opens the line. Rejects with any error; the message is for the installer. */
export type OpenLine = () => Promise<Line>;

/** The line is gone: unplugged, reset, closed by the other side. It must be closed and opened again. */
export class LineGone extends Error {
  override readonly name = 'LineGone';
}

/** Sends one read request through a Modbus library; `exchange` is what the library's port does with its frame. */
export interface RegisterClient {
  /** Data bytes of `ask.count` registers. Rejects with what `exchange` rejected with, or `ModbusException`. */
  read(ask: ReadRequest): Promise<Uint8Array>;
}
export type MakeClient = (exchange: (frame: Uint8Array) => Promise<Uint8Array>) => RegisterClient;

/** The meter answers that it will not (exception code of the Modbus application protocol, section 7). */
export class ModbusException extends Error {
  override readonly name = 'ModbusException';
  readonly code: number;
  constructor(code: number) {
    super(`exception ${code}`);
    this.code = code;
  }
}
