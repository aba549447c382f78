import { OperatorError } from '@gridtokenx/runtime/core';

/** The end of a pseudo-terminal that the simulators own; a client opens the other end by its path. */
export interface PtyMaster {
  /** Device of the client's end. */
  readonly path: string;
  /** Sends bytes to the client. Unread bytes stay in the kernel, beyond some kilobytes here. */
  write(bytes: Uint8Array): void;
  /** Calls `call` with the client's bytes; one listener. */
  onBytes(call: (bytes: Uint8Array) => void): void;
  /** Returns the baud rate of the client's end; 38,400 before anyone set one. Parity is invisible: Linux drops it. */
  baud(): number;
  /** Ends the terminal: a client that has it open sees an unplugged device. */
  close(): Promise<void>;
}

export type OpenPty = () => PtyMaster;

/** Reports that this system offers no pseudo-terminal: why, and what to do. */
export class PtyError extends OperatorError {
  override readonly name = 'PtyError';

  constructor(problem: string, advice: string, options?: ErrorOptions) {
    super({ code: 'no-pty', problem, advice }, options);
  }
}
