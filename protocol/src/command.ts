import { CborFields, type CborMap, type CborValue } from './cbor.js';
import { openControl, Purpose, signControl } from './control.js';
import type { Signer, Verifier } from './keys.js';
import { Reason, WireError } from './reasons.js';

/** An order to a gateway, signed by an operator's key, never retained. */
export interface Command {
  /** Rises with each command of an operator. */
  readonly number: bigint;
  /** Real unix seconds after which the gateway refuses the command. */
  readonly expiry: number;
  /** 16 random bytes. */
  readonly nonce: Uint8Array;
  /** Key of the addressed gateway, 32 bytes. The command is worthless elsewhere. */
  readonly gateway: Uint8Array;
  readonly name: string;
  /** Arguments by name. */
  readonly args: CborMap;
}

export const CommandResult = { obeyed: 0, refused: 1, expired: 2, unknown: 3 } as const;
export type CommandResult = (typeof CommandResult)[keyof typeof CommandResult];

/** The gateway's signed answer. */
export interface CommandAnswer {
  readonly number: bigint;
  readonly nonce: Uint8Array;
  readonly timeMs: number;
  readonly result: CommandResult;
  readonly text: string;
}

// Key 0 distinguishes an order from an answer: both are signed for the same purpose.
const ORDER = 0;
const ANSWER = 1;

/** Returns the signed command message [wire §7.4]. */
export function signCommand(command: Command, signer: Signer): Uint8Array {
  const content = new Map<number, CborValue>([
    [0, ORDER],
    [1, command.number],
    [2, command.expiry],
    [3, command.nonce],
    [4, command.gateway],
    [5, command.name],
    [6, command.args],
  ]);
  return signControl(Purpose.command, content, signer);
}

/** Opens a command signed by `operator`. Throws `WireError`. The caller checks gateway, expiry and number. */
export function openCommand(message: Uint8Array, operator: Uint8Array, verifier: Verifier): Command {
  const content = openControl(Purpose.command, message, operator, verifier);
  const fields = new CborFields('command', content, [0, 1, 2, 3, 4, 5, 6]);
  if (fields.safe(0) !== ORDER) throw new WireError(Reason.malformed, 'command: an answer, expected an order');
  return {
    number: fields.uint(1),
    expiry: fields.safe(2),
    nonce: fields.bytes(3, 16),
    gateway: fields.bytes(4, 32),
    name: fields.text(5, 64),
    args: fields.map(6),
  };
}

/** Returns the gateway's signed answer to a command [wire §7.5]. */
export function signCommandAnswer(answer: CommandAnswer, signer: Signer): Uint8Array {
  const content = new Map<number, CborValue>([
    [0, ANSWER],
    [1, answer.number],
    [3, answer.nonce],
    [7, answer.timeMs],
    [8, answer.result],
    [9, answer.text],
  ]);
  return signControl(Purpose.command, content, signer);
}

/** Opens an answer signed by `gateway`. Throws `WireError`. */
export function openCommandAnswer(message: Uint8Array, gateway: Uint8Array, verifier: Verifier): CommandAnswer {
  const content = openControl(Purpose.command, message, gateway, verifier);
  const fields = new CborFields('command answer', content, [0, 1, 3, 7, 8, 9]);
  if (fields.safe(0) !== ANSWER) throw new WireError(Reason.malformed, 'command answer: an order, expected an answer');
  const result = fields.safe(8);
  if (result > 3) throw new WireError(Reason.malformed, `command answer: result ${result}`);
  return {
    number: fields.uint(1),
    nonce: fields.bytes(3, 16),
    timeMs: fields.safe(7),
    result: result as CommandResult,
    text: fields.text(9, 1024),
  };
}
