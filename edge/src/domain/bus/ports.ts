import type { ReadRequest } from './frames.js';

/** A serial line or a network connection that carries frames. */
export interface Line {
  /** Transfers bytes to the operating system; rejects with `LineGone` when the line is gone. */
  write(bytes: Uint8Array): Promise<void>;
  /** Returns everything that arrived since the last call, the operating system's buffer included. Throws `LineGone`. */
  read(): Uint8Array;
  /** Calls `call` when something may have arrived, where the line can report it. The clock polls all other lines. */
  onArrival(call: () => void): void;
  /** Resolves when the line may be opened again; never rejects. */
  close(): Promise<void>;
}

/** Opens the line. Rejects with any error; the message is for the installer. */
export type OpenLine = () => Promise<Line>;

/** Reports a line that is unplugged, reset or closed by its peer. It must be closed and opened again. */
export class LineGone extends Error {
  override readonly name = 'LineGone';
}

/** Sends one read request through a Modbus library, whose port is `exchange`. */
export interface RegisterClient {
  /** Returns the data bytes of `ask.count` registers. Rejects with the error of `exchange`, or `ModbusException`. */
  read(ask: ReadRequest): Promise<Uint8Array>;
}
export type MakeClient = (exchange: (frame: Uint8Array) => Promise<Uint8Array>) => RegisterClient;

/** Reports a meter's refusal (exception code of the Modbus application protocol, section 7). */
export class ModbusException extends Error {
  override readonly name = 'ModbusException';
  readonly code: number;
  constructor(code: number) {
    super(`exception ${code}`);
    this.code = code;
  }
}
