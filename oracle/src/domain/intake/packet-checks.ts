import { Reason, SIGN1_BYTES, shortHash, splitSequence, type Verifier, WireError } from '@gridtokenx/protocol';
import type { Clock } from '@gridtokenx/runtime/core';
import type { Registry } from '../ports.js';
import { refusedFor } from '../verdicts/verdict.js';
import { decide, type Parsed, parse, signedBy, verifyJobOf } from './admit.js';
import { FairQueue, type Queued } from './fair-queue.js';
import type { ReceivedMessage, SignatureChecks, VerifyJob } from './ports.js';

/** Messages whose signatures are being checked; at this number no new packet is opened. */
const MAX_FLYING = 4_000;
/** Messages opened in one turn of the event loop: other work runs between two turns. */
const TURN_MESSAGES = 500;

export interface PacketChecksDeps {
  readonly registry: Registry;
  readonly verifier: Verifier;
  readonly checks: SignatureChecks;
  /** 8 bytes. */
  readonly networkId: Uint8Array;
  readonly clock: Pick<Clock, 'after'>;
  /** Takes the judged messages of one packet. */
  readonly judged: (arrivals: readonly ReceivedMessage[]) => void;
  /** Called after packets that were judged together. `mustAsk`: a newer registry may change a verdict among them. */
  readonly landed: (mustAsk: boolean) => void;
  /** Called when there was no room for so many messages. */
  readonly refused: (messages: number) => void;
}

/** A packet that waits for its gateway's turn. */
interface Arrived extends Queued {
  readonly common: Omit<ReceivedMessage, 'admission'>;
  readonly bytes: Uint8Array;
}

/** A packet whose signatures are being checked. Packets of one gateway are judged in their order of arrival. */
interface PendingPacket {
  readonly common: Omit<ReceivedMessage, 'admission'>;
  readonly items: readonly PendingMessage[];
  readonly size: number;
  valid: readonly boolean[] | null;
}

/** One message of a packet; `asked` is the index of its job, or -1. */
type PendingMessage =
  | { readonly parsed: Parsed; readonly job: VerifyJob | null; readonly asked: number }
  | { readonly admission: ReceivedMessage['admission'] };

/**
 * Gives each gateway its turn, requests signature checks, and judges packets. Packets of one gateway keep their order,
 * however long a check takes.
 */
export class PacketChecks {
  readonly #deps: PacketChecksDeps;
  readonly #queue = new FairQueue<Uint8Array, Arrived>();
  readonly #pending: PendingPacket[] = [];
  #pendingMessages = 0;
  /** Messages opened in this turn of the event loop. */
  #looked = 0;
  #cancelPump: (() => void) | null = null;
  #refused = 0;
  #isStopped = false;

  constructor(deps: PacketChecksDeps) {
    this.#deps = deps;
  }

  /** Number of messages that wait for their gateway's turn, and number refused for lack of room since the start. */
  get queue(): { readonly waiting: number; readonly refused: number } {
    return { waiting: this.#queue.size, refused: this.#refused };
  }

  /** Stops judging. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelPump?.();
  }

  /** Takes one packet. The packet is opened at its gateway's turn, or dropped when there is no room. */
  receive(common: Omit<ReceivedMessage, 'admission'>, bytes: Uint8Array): void {
    const size = Math.max(1, Math.ceil(bytes.length / SIGN1_BYTES));
    const arrived = { common, bytes, size };
    // Under low load no packet waits.
    if (this.#queue.size === 0 && this.#mayLook()) this.#dispatch(arrived);
    else if (!this.#queue.add(common.gateway, arrived)) this.#refuse(size);
    this.#cancelPump ??= this.#deps.clock.after(0, () => this.#pump());
  }

  #refuse(size: number): void {
    this.#refused += size;
    this.#deps.refused(size);
  }

  /** Opens packets of the gateways in turn; continues after other work of the event loop. */
  #pump(): void {
    this.#cancelPump = null;
    this.#looked = 0;
    while (this.#mayLook()) {
      const arrived = this.#queue.next();
      if (!arrived) return;
      this.#dispatch(arrived);
    }
    // While too many checks are pending, the next answer continues.
    if (this.#queue.size > 0 && this.#pendingMessages < MAX_FLYING)
      this.#cancelPump ??= this.#deps.clock.after(0, () => this.#pump());
  }

  #mayLook(): boolean {
    return this.#looked < TURN_MESSAGES && this.#pendingMessages < MAX_FLYING;
  }

  /** Opens everything received, without a bound. */
  drain(): void {
    for (let arrived = this.#queue.next(); arrived; arrived = this.#queue.next()) this.#dispatch(arrived);
    this.#deps.checks.finish();
  }

  /** Requests the signature checks of a packet. A length that is no multiple of 171 makes one malformed message. */
  #dispatch({ common, bytes, size }: Arrived): void {
    const { networkId, registry, checks } = this.#deps;
    const jobs: VerifyJob[] = [];
    const items = split(bytes).map((message): PendingMessage => {
      if (message === null) return { admission: malformed(bytes) };
      const result = parse(message);
      if ('rejected' in result) return { admission: result };
      const job = verifyJobOf(result.parsed, networkId, registry);
      return { parsed: result.parsed, job, asked: job ? jobs.push(job) - 1 : -1 };
    });
    const flight: PendingPacket = { common, items, size, valid: null };
    this.#pending.push(flight);
    this.#pendingMessages += size;
    this.#looked += size;
    const answered = (valid: readonly boolean[]) => {
      flight.valid = valid;
      this.#land();
    };
    checks.ask(jobs, answered);
  }

  /** Judges packets whose signatures are checked, by the current registry, and gathers them. */
  #land(): void {
    if (this.#isStopped) return;
    const { clock } = this.#deps;
    let mustAsk = false;
    for (let first = this.#pending[0]; first?.valid; first = this.#pending[0]) {
      this.#pending.shift();
      this.#pendingMessages -= first.size;
      const arrivals = this.#judge(first, first.valid);
      mustAsk ||= arrivals.some(({ admission }) => 'rejected' in admission && !admission.rejected.verdict.settled);
      this.#deps.judged(arrivals);
    }
    this.#deps.landed(mustAsk);
    if (this.#queue.size > 0) this.#cancelPump ??= clock.after(0, () => this.#pump());
  }

  #judge({ common, items }: PendingPacket, valid: readonly boolean[]): ReceivedMessage[] {
    const { networkId, registry, verifier } = this.#deps;
    return items.map((item) => {
      if ('admission' in item) return { ...common, admission: item.admission };
      const isValid = valid[item.asked];
      const asked = item.job && isValid !== undefined ? { key: item.job.key, isValid } : null;
      const isSignedBy = signedBy(item.parsed, verifier, asked);
      return { ...common, admission: decide(item.parsed, common.receivedAtMs, networkId, registry, isSignedBy) };
    });
  }
}

function split(packet: Uint8Array): (Uint8Array | null)[] {
  try {
    return splitSequence(packet);
  } catch (error) {
    if (error instanceof WireError) return [null];
    throw error;
  }
}

function malformed(packet: Uint8Array): ReceivedMessage['admission'] {
  const verdict = refusedFor(Reason.malformed);
  return { rejected: { verdict, hash: shortHash(packet), message: packet, meterId: null, seq: null } };
}
