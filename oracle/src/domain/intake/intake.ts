import { type MeterId, type Reading, Reason, type Stream, type Verifier } from '@gridtokenx/protocol';
import type { Clock, Logger, ReadingClock } from '@gridtokenx/runtime/core';
import type { MeterRecord, Registry } from '../ports.js';
import type { VerdictCode } from '../verdicts/verdict.js';
import { admit } from './admit.js';
import { PacketChecks } from './packet-checks.js';
import type { CommitResult, Ledger, ReceivedMessage, SignatureChecks, Waiting } from './ports.js';

/** A packet from the broker, which vouches for the gateway in its topic. */
export interface Packet {
  readonly gateway: Uint8Array;
  /** Hex. */
  readonly meter: MeterId;
  readonly stream: Stream;
  readonly bytes: Uint8Array;
}

export interface IntakeDeps {
  readonly ledger: Ledger;
  readonly registry: Registry;
  readonly verifier: Verifier;
  /** Checks signatures of packets. */
  readonly checks: SignatureChecks;
  /** 8 bytes. */
  readonly networkId: Uint8Array;
  readonly readingClock: Pick<ReadingClock, 'nowMs'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called after a commit: the oracle can acknowledge to these gateways. */
  readonly onStored: (gateways: ReadonlySet<Uint8Array>) => void;
  /** Called after a read of the registry: messages that waited for a meter may continue. */
  readonly onRegistry: () => void;
  readonly onVerified: (verified: readonly { meter: MeterRecord; reading: Reading }[]) => void;
  readonly onCommit: (outcome: { messages: number; ms: number; verdicts: ReadonlyMap<VerdictCode, number> }) => void;
}

/** A commit gathers the messages of this time, in ms, or this many messages. */
const GATHER_MS = 5;
const GATHER_MESSAGES = 500;
/** Interval at which waiting messages are judged again, in ms: they wait for time or for the registry. */
const RECONSIDER_MS = 1_000;
const WAITING_LIMIT = 500;
/** Pause before messages that remain to be judged again, in ms: re-judging uses a fifth of the time at most. */
const AGAIN_MS = 100;
/**
 * Takes packets, verifies each message, and stores messages in groups. Gateways receive acks only for durable commits.
 * A failing disk makes the group a *storage failure*: nothing is acknowledged and gateways send again.
 */
export class Intake {
  readonly #deps: IntakeDeps;
  readonly #packets: PacketChecks;
  readonly #keys = new Map<string, Uint8Array>();
  #gathered: ReceivedMessage[] = [];
  #cancelFlush: (() => void) | null = null;
  #cancelTick: (() => void) | null = null;
  #registrySeen = 0;
  #failures = 0;
  #isStopped = false;
  #isAsking = false;
  /** True while more messages remain to be judged again. */
  #isMore = false;

  constructor(deps: IntakeDeps) {
    this.#deps = deps;
    this.#packets = new PacketChecks({
      ...deps,
      judged: (arrivals) => this.#gather(arrivals),
      landed: (mustAsk) => this.#landed(mustAsk),
      // No ack, so the gateway sends it again.
      refused: (size) => deps.onCommit({ messages: 0, ms: 0, verdicts: new Map([[Reason.overQuota, size]]) }),
    });
  }

  /** Number of failed commits since the last successful commit; 0 when the ledger works. */
  get failures(): number {
    return this.#failures;
  }

  start(): void {
    this.#tick();
  }

  #tick(): void {
    if (this.#isStopped) return;
    // While this callback runs, nothing else sets the timer.
    this.#cancelTick = null;
    this.reconsider();
    this.#cancelTick = this.#deps.clock.after(this.#isMore ? AGAIN_MS : RECONSIDER_MS, () => this.#tick());
  }

  /** Number of messages that wait for their gateway's turn, and number refused for lack of room since the start. */
  get queue(): { readonly waiting: number; readonly refused: number } {
    return this.#packets.queue;
  }

  /** Stores received messages and takes no more. */
  stop(): void {
    this.flush();
    this.#isStopped = true;
    this.#cancelTick?.();
    this.#packets.stop();
  }

  /** Takes one packet. The intake judges it at its gateway's turn, or drops it when there is no room. */
  receive(packet: Packet): void {
    if (this.#isStopped) return;
    const { readingClock, clock } = this.#deps;
    const gateway = this.#sameKey(packet.gateway);
    const common = {
      gateway,
      topicMeter: packet.meter,
      arrivedAtMs: readingClock.nowMs(),
      receivedAtMs: clock.nowMs(),
    };
    this.#packets.receive(common, packet.bytes);
  }

  #gather(arrivals: readonly ReceivedMessage[]): void {
    this.#gathered.push(...arrivals);
    if (this.#gathered.length >= GATHER_MESSAGES) this.#store();
  }

  #landed(mustAsk: boolean): void {
    if (mustAsk) this.#askRegistry();
    if (this.#gathered.length > 0) this.#cancelFlush ??= this.#deps.clock.after(GATHER_MS, () => this.#store());
  }

  /**
   * Takes statements that another oracle sent; that oracle counts as their source if no gateway has brought the meter
   * yet. Each statement is verified like a received message. Rejected statements are not stored, because nobody waits
   * for their verdict.
   */
  exchange(
    from: Uint8Array,
    messages: readonly Uint8Array[],
    gatewayOf: (meterId: MeterId) => Uint8Array | null,
  ): void {
    if (this.#isStopped) return;
    const { readingClock, clock, networkId, registry, verifier } = this.#deps;
    // Messages that a gateway brought before are stored first.
    this.flush();
    const [arrivedAtMs, receivedAtMs] = [readingClock.nowMs(), clock.nowMs()];
    for (const message of messages) {
      const admission = admit(message, receivedAtMs, networkId, registry, verifier);
      if ('rejected' in admission) continue;
      const { meterId } = admission.admitted.meter;
      const gateway = this.#sameKey(gatewayOf(meterId) ?? from);
      this.#gathered.push({ gateway, topicMeter: meterId, arrivedAtMs, receivedAtMs, admission });
    }
    this.#store();
  }

  /** Judges everything received, without a bound. */
  drain(): void {
    this.#packets.drain();
  }

  /** Judges everything received, and stores it. */
  flush(): void {
    this.drain();
    this.#store();
  }

  /** Commits the gathered messages, then announces the commit. */
  #store(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = null;
    const arrivals = this.#gathered;
    if (arrivals.length === 0) return;
    this.#gathered = [];
    this.#commit(arrivals, () => this.#deps.ledger.take(arrivals, this.#deps.readingClock.nowMs()));
  }

  /** Judges again the messages that wait for time or for the registry. */
  reconsider(): void {
    const { ledger, registry, readingClock } = this.#deps;
    this.#store();
    this.#isMore = false;
    this.#commit([], () => ledger.reconsider(readingClock.nowMs()));
    const asOf = registry.asOf.fetchedAtMs;
    if (asOf === this.#registrySeen) return;
    this.#registrySeen = asOf;
    this.#deps.onRegistry();
    try {
      const arrivals = ledger
        .waiting(WAITING_LIMIT)
        .filter((waiting) => this.#mayBeDecided(waiting))
        .map((waiting) => this.#again(waiting));
      if (arrivals.length > 0) this.#commit(arrivals, () => ledger.take(arrivals, readingClock.nowMs()));
    } catch (error) {
      this.#failed(error, 0);
    }
  }

  #mayBeDecided({ reason, meterId, receivedAtMs }: Waiting): boolean {
    const { registry } = this.#deps;
    if (reason === Reason.unknownMeter) return meterId !== null && registry.meter(meterId) !== undefined;
    return registry.asOf.fetchedAtMs > receivedAtMs;
  }

  #again({ gateway, topicMeter, message, arrivedAtMs, receivedAtMs }: Waiting): ReceivedMessage {
    const { networkId, registry, verifier } = this.#deps;
    const admission = admit(message, receivedAtMs, networkId, registry, verifier);
    return { gateway: this.#sameKey(gateway), topicMeter, arrivedAtMs, receivedAtMs, admission };
  }

  #commit(arrivals: readonly ReceivedMessage[], work: () => CommitResult): void {
    const { clock, logger, onStored, onVerified, onCommit } = this.#deps;
    const began = clock.monotonicMs();
    let taken: CommitResult;
    try {
      taken = work();
    } catch (error) {
      this.#failed(error, arrivals.length);
      return;
    }
    if (taken.hasMore && !this.#isMore) this.#goOn();
    if (arrivals.length === 0 && taken.verdicts.size === 0) return;
    this.#failures = 0;
    onCommit({ messages: arrivals.length, ms: clock.monotonicMs() - began, verdicts: taken.verdicts });
    onStored(
      new Set([...arrivals.map((arrival) => arrival.gateway), ...taken.gateways.map((key) => this.#sameKey(key))]),
    );
    for (const { meter, reading } of taken.verified) {
      logger.debug({ event: 'reading_verified', meter: meter.meterId, seq: reading.seq }, 'Verified a reading');
    }
    if (taken.verified.length > 0) onVerified(taken.verified);
  }

  /** More messages remain than fit a commit: continue after a pause. */
  #goOn(): void {
    this.#isMore = true;
    if (!this.#cancelTick || this.#isStopped) return;
    this.#cancelTick();
    this.#cancelTick = this.#deps.clock.after(AGAIN_MS, () => this.#tick());
  }

  #failed(error: unknown, messages: number): void {
    const { logger, onCommit } = this.#deps;
    // One line for a lasting failure, not one for each group.
    if (this.#failures++ === 0)
      logger.error(
        { event: 'ledger_write_failed', err: error },
        'Cannot write the ledger: the oracle acknowledges nothing',
      );
    onCommit({ messages, ms: 0, verdicts: new Map([[Reason.storageFailure, messages]]) });
  }

  /** One request at a time, however many messages wait for its answer. */
  #askRegistry(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { registry } = this.#deps;
    const answered = () => {
      this.#isAsking = false;
      if (!this.#isStopped && registry.asOf.fetchedAtMs !== this.#registrySeen) this.reconsider();
    };
    // The node is away: the known state stays in force, and the message waits.
    registry.refresh().then(answered, () => {
      this.#isAsking = false;
    });
  }

  /** Returns one object for each gateway, so that sets of gateways compare by identity. */
  #sameKey(key: Uint8Array): Uint8Array {
    const name = Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
    const known = this.#keys.get(name);
    if (known) return known;
    this.#keys.set(name, key);
    return key;
  }
}
