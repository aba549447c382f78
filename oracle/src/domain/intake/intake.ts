import {
  type Reading,
  Reason,
  SIGN1_BYTES,
  type Stream,
  shortHash,
  splitSequence,
  type Verifier,
  WireError,
} from '@gridtokenx/protocol';
import type { Clock, Logger, ReadingClock } from '@gridtokenx/runtime/core';
import type { MeterRecord, Registry } from '../ports.js';
import { refusedFor, type VerdictCode } from '../verdicts/verdict.js';
import { admit, decide, type Parsed, parse, questionOf, signedBy } from './admit.js';
import { FairQueue, type Queued } from './fair-queue.js';
import type { Arrival, Ledger, Question, SignatureChecks, Taken, Waiting } from './ports.js';

/** A packet from the broker, which vouches for the gateway in its topic. */
export interface Packet {
  readonly gateway: Uint8Array;
  /** Hex. */
  readonly meter: string;
  readonly stream: Stream;
  readonly bytes: Uint8Array;
}

export interface IntakeDeps {
  readonly ledger: Ledger;
  readonly registry: Registry;
  readonly verifier: Verifier;
  /** Where signatures of packets are checked; absent: here, by `verifier`. */
  readonly checks?: SignatureChecks;
  /** 8 bytes. */
  readonly networkId: Uint8Array;
  readonly clock: Pick<ReadingClock, 'nowMs'>;
  readonly realClock: Clock;
  readonly logger: Logger;
  /** A commit is through: these gateways can be told how far. */
  readonly onStored: (gateways: ReadonlySet<Uint8Array>) => void;
  /** The registry was read again: what waited for a meter may be able to go on. */
  readonly onRegistry?: () => void;
  readonly onVerified: (verified: readonly { meter: MeterRecord; reading: Reading }[]) => void;
  readonly onCommit: (outcome: { messages: number; ms: number; verdicts: ReadonlyMap<VerdictCode, number> }) => void;
}

/** A commit gathers what comes within this time, or this many messages. */
const GATHER_MS = 5;
const GATHER_MESSAGES = 500;
/** Messages that wait for time or for the registry are looked at this often. */
const RECONSIDER_MS = 1_000;
const WAITING_LIMIT = 500;
/** What is to be judged again and was not reached goes on after this pause: a fifth of the time at most. */
const AGAIN_MS = 100;
/** Messages whose signatures are being checked; at this number nothing new is looked at. */
const MAX_FLYING = 4_000;
/** Messages that are looked at in one turn of the event loop: others are answered between two turns. */
const TURN_MESSAGES = 500;

/** A packet that waits for its gateway's turn. */
interface Arrived extends Queued {
  readonly common: Omit<Arrival, 'admission'>;
  readonly bytes: Uint8Array;
}

/** A packet whose signatures are being checked. Those of a gateway are judged in the order in which they came. */
interface Flight {
  readonly common: Omit<Arrival, 'admission'>;
  readonly items: readonly Flown[];
  readonly size: number;
  valid: readonly boolean[] | null;
}

/** One message of it; `asked` is the place of its question, or -1. */
type Flown =
  | { readonly parsed: Parsed; readonly question: Question | null; readonly asked: number }
  | { readonly admission: Arrival['admission'] };

/**
 * Takes packets, verifies each message, and stores them in groups. Gateways are told only what a commit has made
 * durable. A failing disk makes the group a *storage failure*: nothing is acknowledged and gateways send again.
 */
export class Intake {
  readonly #deps: IntakeDeps;
  readonly #keys = new Map<string, Uint8Array>();
  #gathered: Arrival[] = [];
  readonly #queue = new FairQueue<Uint8Array, Arrived>();
  readonly #flights: Flight[] = [];
  #flying = 0;
  /** In this turn of the event loop. */
  #looked = 0;
  #cancelPump: (() => void) | null = null;
  #cancelFlush: (() => void) | null = null;
  #cancelTick: (() => void) | null = null;
  #registrySeen = 0;
  #failures = 0;
  #isStopped = false;
  #isAsking = false;
  /** More is to be judged again. */
  #isMore = false;
  #refused = 0;

  constructor(deps: IntakeDeps) {
    this.#deps = deps;
  }

  /** Number of commits that failed since the last one that did not; 0 when the ledger is well. */
  get failures(): number {
    return this.#failures;
  }

  start(): void {
    this.#tick();
  }

  #tick(): void {
    if (this.#isStopped) return;
    // While it runs nothing else sets the timer.
    this.#cancelTick = null;
    this.reconsider();
    this.#cancelTick = this.#deps.realClock.after(this.#isMore ? AGAIN_MS : RECONSIDER_MS, () => this.#tick());
  }

  /** Messages that wait for their gateway's turn, and that were refused for want of room since the start. */
  get queue(): { readonly waiting: number; readonly refused: number } {
    return { waiting: this.#queue.size, refused: this.#refused };
  }

  /** Stores what came and takes nothing more. */
  stop(): void {
    this.flush();
    this.#isStopped = true;
    this.#cancelTick?.();
    this.#cancelPump?.();
  }

  /** Takes one packet; it is looked at when its gateway's turn comes, and let go when there is no room. */
  receive(packet: Packet): void {
    if (this.#isStopped) return;
    const { clock, realClock } = this.#deps;
    const gateway = this.#sameKey(packet.gateway);
    const common = { gateway, topicMeter: packet.meter, arrivedMs: clock.nowMs(), receivedMs: realClock.nowMs() };
    const size = Math.max(1, Math.ceil(packet.bytes.length / SIGN1_BYTES));
    const arrived = { common, bytes: packet.bytes, size };
    // While little comes nothing waits.
    if (this.#queue.size === 0 && this.#mayLook()) this.#look(arrived);
    else if (!this.#queue.add(gateway, arrived)) this.#refuse(size);
    this.#cancelPump ??= realClock.after(0, () => this.#pump());
  }

  #refuse(size: number): void {
    // Not acknowledged: it comes again.
    this.#refused += size;
    this.#deps.onCommit({ messages: 0, ms: 0, verdicts: new Map([[Reason.overQuota, size]]) });
  }

  /** Looks at packets of the gateways in turn; goes on after others had their time. */
  #pump(): void {
    this.#cancelPump = null;
    this.#looked = 0;
    while (this.#mayLook()) {
      const arrived = this.#queue.next();
      if (!arrived) return;
      this.#look(arrived);
    }
    // Where too much is being checked, the next answer goes on.
    if (this.#queue.size > 0 && this.#flying < MAX_FLYING)
      this.#cancelPump ??= this.#deps.realClock.after(0, () => this.#pump());
  }

  #mayLook(): boolean {
    return this.#looked < TURN_MESSAGES && this.#flying < MAX_FLYING;
  }

  /** Looks at everything that came, however much it is. */
  drain(): void {
    for (let arrived = this.#queue.next(); arrived; arrived = this.#queue.next()) this.#look(arrived);
    this.#deps.checks?.finish();
  }

  /** Has the signatures of a packet checked. A length that is not n x 171 is one malformed message. */
  #look({ common, bytes, size }: Arrived): void {
    const { networkId, registry, checks } = this.#deps;
    const questions: Question[] = [];
    const items = split(bytes).map((message): Flown => {
      if (message === null) return { admission: malformed(bytes) };
      const result = parse(message);
      if ('rejected' in result) return { admission: result };
      const question = checks ? questionOf(result.parsed, networkId, registry) : null;
      return { parsed: result.parsed, question, asked: question ? questions.push(question) - 1 : -1 };
    });
    const flight: Flight = { common, items, size, valid: null };
    this.#flights.push(flight);
    this.#flying += size;
    this.#looked += size;
    const answered = (valid: readonly boolean[]) => {
      flight.valid = valid;
      this.#land();
    };
    if (checks) checks.ask(questions, answered);
    else answered([]);
  }

  /** Judges packets whose signatures are checked, by the registry as it is now, and gathers them. */
  #land(): void {
    if (this.#isStopped) return;
    const { networkId, registry, verifier, realClock } = this.#deps;
    let mustAsk = false;
    for (let first = this.#flights[0]; first?.valid; first = this.#flights[0]) {
      this.#flights.shift();
      this.#flying -= first.size;
      const { common, valid } = first;
      for (const item of first.items) {
        let admission: Arrival['admission'];
        if ('admission' in item) admission = item.admission;
        else {
          const isValid = valid[item.asked];
          const asked = item.question && isValid !== undefined ? { key: item.question.key, isValid } : null;
          const isSignedBy = signedBy(item.parsed, verifier, asked);
          admission = decide(item.parsed, common.receivedMs, networkId, registry, isSignedBy);
        }
        this.#gathered.push({ ...common, admission });
        mustAsk ||= 'rejected' in admission && !admission.rejected.verdict.settled;
      }
      if (this.#gathered.length >= GATHER_MESSAGES) this.#store();
    }
    if (mustAsk) this.#askRegistry();
    if (this.#gathered.length > 0) this.#cancelFlush ??= realClock.after(GATHER_MS, () => this.#store());
    if (this.#queue.size > 0) this.#cancelPump ??= realClock.after(0, () => this.#pump());
  }

  /**
   * Takes statements that another oracle showed, which is where they came from if no gateway has brought its meter yet.
   * Each is verified like one that arrives; what would be rejected is not kept, because nobody waits for its verdict.
   */
  exchange(from: Uint8Array, messages: readonly Uint8Array[], gatewayOf: (meterId: string) => Uint8Array | null): void {
    if (this.#isStopped) return;
    const { clock, realClock, networkId, registry, verifier } = this.#deps;
    // What a gateway brought before is stored first.
    this.flush();
    const [arrivedMs, receivedMs] = [clock.nowMs(), realClock.nowMs()];
    for (const message of messages) {
      const admission = admit(message, receivedMs, networkId, registry, verifier);
      if ('rejected' in admission) continue;
      const { meterId } = admission.admitted.meter;
      const gateway = this.#sameKey(gatewayOf(meterId) ?? from);
      this.#gathered.push({ gateway, topicMeter: meterId, arrivedMs, receivedMs, admission });
    }
    this.#store();
  }

  /** Looks at all that came, and stores it. */
  flush(): void {
    this.drain();
    this.#store();
  }

  /** Commits what was gathered, and then tells. */
  #store(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = null;
    const arrivals = this.#gathered;
    if (arrivals.length === 0) return;
    this.#gathered = [];
    this.#commit(arrivals, () => this.#deps.ledger.take(arrivals, this.#deps.clock.nowMs()));
  }

  /** Looks again at what waits for time to pass or for the registry to say more. */
  reconsider(): void {
    const { ledger, registry, clock } = this.#deps;
    this.#store();
    this.#isMore = false;
    this.#commit([], () => ledger.reconsider(clock.nowMs()));
    const asOf = registry.asOf.fetchedAtMs;
    if (asOf === this.#registrySeen) return;
    this.#registrySeen = asOf;
    this.#deps.onRegistry?.();
    try {
      const arrivals = ledger
        .waiting(WAITING_LIMIT)
        .filter((waiting) => this.#mayBeDecided(waiting))
        .map((waiting) => this.#again(waiting));
      if (arrivals.length > 0) this.#commit(arrivals, () => ledger.take(arrivals, clock.nowMs()));
    } catch (error) {
      this.#failed(error, 0);
    }
  }

  #mayBeDecided({ reason, meterId, receivedMs }: Waiting): boolean {
    const { registry } = this.#deps;
    if (reason === Reason.unknownMeter) return meterId !== null && registry.meter(meterId) !== undefined;
    return registry.asOf.fetchedAtMs > receivedMs;
  }

  #again({ gateway, topicMeter, message, arrivedMs, receivedMs }: Waiting): Arrival {
    const { networkId, registry, verifier } = this.#deps;
    const admission = admit(message, receivedMs, networkId, registry, verifier);
    return { gateway: this.#sameKey(gateway), topicMeter, arrivedMs, receivedMs, admission };
  }

  #commit(arrivals: readonly Arrival[], work: () => Taken): void {
    const { realClock, onStored, onVerified, onCommit } = this.#deps;
    const began = realClock.monotonicMs();
    let taken: Taken;
    try {
      taken = work();
    } catch (error) {
      this.#failed(error, arrivals.length);
      return;
    }
    if (taken.isMore && !this.#isMore) this.#goOn();
    if (arrivals.length === 0 && taken.verdicts.size === 0) return;
    this.#failures = 0;
    onCommit({ messages: arrivals.length, ms: realClock.monotonicMs() - began, verdicts: taken.verdicts });
    onStored(
      new Set([...arrivals.map((arrival) => arrival.gateway), ...taken.gateways.map((key) => this.#sameKey(key))]),
    );
    if (taken.verified.length > 0) onVerified(taken.verified);
  }

  /** There is more to be judged again than fits a commit: soon, and not at once. */
  #goOn(): void {
    this.#isMore = true;
    if (!this.#cancelTick || this.#isStopped) return;
    this.#cancelTick();
    this.#cancelTick = this.#deps.realClock.after(AGAIN_MS, () => this.#tick());
  }

  #failed(error: unknown, messages: number): void {
    const { logger, onCommit } = this.#deps;
    // One line for a failure that lasts, not one for each group.
    if (this.#failures++ === 0) logger.error({ err: error }, 'the ledger cannot be written: nothing is acknowledged');
    onCommit({ messages, ms: 0, verdicts: new Map([[Reason.storageFailure, messages]]) });
  }

  /** One question at a time, however many messages wait for its answer. */
  #askRegistry(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { registry } = this.#deps;
    const answered = () => {
      this.#isAsking = false;
      if (!this.#isStopped && registry.asOf.fetchedAtMs !== this.#registrySeen) this.reconsider();
    };
    // The node is away: what is known stays in force, and the message waits.
    registry.refresh().then(answered, () => {
      this.#isAsking = false;
    });
  }

  /** One object for each gateway, so that sets of gateways are sets. */
  #sameKey(key: Uint8Array): Uint8Array {
    const name = Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
    const known = this.#keys.get(name);
    if (known) return known;
    this.#keys.set(name, key);
    return key;
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

function malformed(packet: Uint8Array): Arrival['admission'] {
  const verdict = refusedFor(Reason.malformed);
  return { rejected: { verdict, hash: shortHash(packet), message: packet, meterId: null, seq: null } };
}
