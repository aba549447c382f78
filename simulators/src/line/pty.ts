import { OperatorError } from '@gridtokenx/runtime/core';

/** The end of a pseudo-terminal that the simulators own; a client opens the other end by its path. */
export interface PtyMaster {
  /** Device of the client's end. */
  readonly path: string;
  /** Bytes to the client. What it does not read stays in the kernel, beyond some kilobytes here. */
  write(bytes: Uint8Array): void;
  /** Calls with what the client sends; one listener. */
  onBytes(call: (bytes: Uint8Array) => void): void;
  /** Baud that is set on the client's end now; 38,400 before anyone set one. Parity cannot be seen: Linux drops it. */
  baud(): number;
  /** Ends the terminal: a client that has it open sees it unplugged. */
  close(): Promise<void>;
}

export type OpenPty = () => PtyMaster;

/** No pseudo-terminal can be had here: why, and what to do. */
export class PtyError extends OperatorError {
  override readonly name = 'PtyError';

  constructor(problem: string, advice: string, options?: ErrorOptions) {
    super({ code: 'no-pty', problem, advice }, options);
  }
}
