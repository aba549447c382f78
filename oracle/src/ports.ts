/**
 * What the oracle's domain and its adapters know of each other. Adapters implement these interfaces, `main.ts` wires
 * them; no adapter imports another. Every error an implementation may show is named here.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Duplex } from 'node:stream';
import type { Role, Signer, Verifier } from '@gridtokenx/protocol';

/** Time that drives readings and windows (simulated or UTC): milliseconds since 1970. Never used for time-outs. */
export interface Clock {
  now(): number;
}

/** Real time: sign-in, time-outs, back-off, acks, chain. A timer must not keep a stopping process alive. */
export interface RealClock {
  /** Milliseconds since 1970, UTC. */
  now(): number;
  /** Milliseconds of a clock that never steps; its zero means nothing. */
  monotonic(): number;
  /** Calls back once after `ms`; returns a function that cancels. */
  after(ms: number, callback: () => void): () => void;
}

export interface Randomness {
  bytes(length: number): Uint8Array;
  /** From 0 (inclusive) to 1 (exclusive), for jitter only. */
  fraction(): number;
}

/** Few lines: a card wears out. Never a secret. pino has this shape. */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** One signature to check. Whoever asks does not change the bytes until it is answered. */
export interface Question {
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
  readonly key: Uint8Array;
}

/** Checks signatures in this thread or elsewhere, by the same rule as the `Verifier` that all of it is proved as. */
export interface SignatureChecks {
  /** Threads that check beside the asking one; 0: none. */
  readonly threads: number;
  /**
   * Calls back once, during the call or later, with an answer for each question. Questions that were asked together are
   * answered together, others in any order. It may check here, and so take its time, when too much waits. Never throws.
   */
  ask(questions: readonly Question[], answered: (valid: readonly boolean[]) => void): void;
  /** Returns when everything that was asked is answered. Not to be called from within an answer. */
  finish(): void;
  /** Answers what was asked, and ends the threads. */
  close(): Promise<void>;
}

/** One enrolled meter as the registry program holds it. Registers in watt-hours. */
export interface MeterRecord {
  /** Lower-case hex, 32 characters. */
  readonly meterId: string;
  /** The owner's wallet, base58. */
  readonly owner: string;
  /** The device key in force, 32 bytes. */
  readonly key: Uint8Array;
  /** The key before the last rotation: valid for backfill up to `previousKeyLastWindow`. */
  readonly previousKey?: Uint8Array;
  readonly previousKeyLastWindow?: number;
  readonly signer: 'gateway' | 'device';
  readonly role: Role;
  readonly zone: number;
  /** null for production and consumption meters: they are evidence and have no slot. */
  readonly page: number | null;
  readonly slot: number | null;
  /** Raw registers at enrolment: total = carried + raw - baseline. */
  readonly importBaselineWh: bigint;
  readonly exportBaselineWh: bigint;
  readonly importCarriedWh: bigint;
  readonly exportCarriedWh: bigint;
  readonly exportLimitW: number;
  readonly importLimitW: number;
  /** The enrolment message's window: registers were read in it, nothing before it is taken. */
  readonly enrolmentWindow: number;
  /** First window for which the chain takes a statement; the ledger stores earlier ones since the enrolment too. */
  readonly firstWindow: number;
  readonly keyEpoch: number;
  /** Energy source of the enrolment (protocol `Source`). */
  readonly source?: number;
  readonly status: 'active' | 'suspended' | 'closed';
  /** Largest step of one register that is no fault (resolution of the meter), Wh. */
  readonly registerStepWh: number;
}

/** The registry's finalised state, cached. Reading never throws and never waits. */
export interface Registry {
  /** `fetchedAtMs`: real time at which the request for this finalised state was *sent*; 0 before the first answer. */
  readonly asOf: { readonly slot: number; readonly fetchedAtMs: number };
  /** What is wrong with it, in plain words; null or absent when nothing is. */
  readonly problem?: string | null;
  meter(meterId: string): MeterRecord | undefined;
  meters(): readonly MeterRecord[];
  /**
   * Fetches again; calls that come while one is under way, or too soon after one, share its outcome. Rejects when the
   * node cannot be reached: the caller goes on with the state it has.
   */
  refresh(): Promise<void>;
}

/** A verified statement of a quality that may be attested. Raw registers in Wh. */
export interface AttestableStatement {
  readonly meterId: string;
  readonly window: number;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  /** The 96 signed bytes. */
  readonly payload: Uint8Array;
  /** The 171-byte message. */
  readonly message: Uint8Array;
  /** Real time at which it was stored. */
  readonly receivedMs: number;
}

/** A statement of a quality that may be attested, whatever its verdict: what a key said. Raw registers in Wh. */
export interface SignedStatement {
  readonly window: number;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  /** The 171-byte message. */
  readonly message: Uint8Array;
}

/** The ledger's statements, as settlement sees them. Reading may throw when the disk fails. */
export interface StatementStore {
  /** Verified, attestable, windows strictly above `afterWindow`, rising; at most `limit` (default 1,000). */
  attestable(meterId: string, afterWindow: number, limit?: number): AttestableStatement[];
  newest(meterId: string): AttestableStatement | undefined;
  /**
   * Of a derived point: the statements of its two meters up to `window`, newest first, from at most `windows` windows.
   * Nothing for any other meter.
   */
  inputs?(meterId: string, window: number, windows: number): AttestableStatement[];
  /** What `key` said of windows up to `window`, newest first, at most `limit`; verified or not. */
  signedBy?(meterId: string, key: Uint8Array, window: number, limit: number): SignedStatement[];
  /** A statement by `key` that says exactly this; verified or not. */
  saying?(
    meterId: string,
    key: Uint8Array,
    exact: { readonly window: number; readonly importWh: bigint; readonly exportWh: bigint },
  ): SignedStatement | undefined;
  /** Called after a commit that changed which statements are attestable (new ones, or revised verdicts). */
  onStored(listener: () => void): () => void;
}

/** What is on chain for one meter, since enrolment. */
export interface ChainTotals {
  readonly window: number;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  readonly mintedBaseUnits: bigint;
  /** Signatures of the transactions that moved this meter, newest last; may be cut to the newest hundreds. */
  readonly transactions: readonly string[];
}

/** One window of one meter on chain; energies are differences to the settlement before. */
export interface Settlement {
  readonly id: number;
  readonly meterId: string;
  readonly window: number;
  readonly exportWh: bigint;
  readonly importWh: bigint;
  readonly mintedBaseUnits: bigint;
  readonly attest: string;
  readonly mint: string | null;
  /** Real milliseconds from the window's close on the reading clock to the mint's confirmation. */
  readonly closeToMintMs: number | null;
  readonly undone: boolean;
}

export interface ChainState {
  /** Statements or mints that are not confirmed yet. */
  readonly pending: number;
  /** "idle", "waiting for the node: ...": plain words. */
  readonly sender: string;
  readonly lastSnapshotSlot: number | null;
  /** Why nothing has moved for long, plain words; null or absent when all is well. */
  readonly stalled?: string | null;
  /** What was skipped or went wrong lately, plain words. */
  readonly problems?: readonly string[];
  /** The other attestors. `state`: plain words, "signs" when all is well. */
  readonly peers?: readonly { readonly oracle: string; readonly attestor: string; readonly state: string }[];
}

/** What health must know of the chain side; plain words, nothing where all is well. */
export interface ChainHealth {
  /** Nothing can be sent at all: the node is away, or the network another one. */
  readonly node: string | null;
  /** Pages that pause. */
  readonly lanes: readonly string[];
  /** Energy that is due and was not minted when it was tried. */
  readonly mints: readonly string[];
  /** Pages on which the newest statement of a meter is many windows ahead of its slot. */
  readonly behind: readonly string[];
  readonly cosigners: readonly string[];
  readonly disputes: readonly string[];
  /** Cases that nobody has answered and whose time runs out. */
  readonly deadlines: readonly string[];
  /** Why disputes are not watched. */
  readonly watching: string | null;
  readonly snapshot: string | null;
  /** Of the attestor, lamports; null where it was not read. */
  readonly balanceLamports: number | null;
}

/** Read by the API. */
export interface Settlements {
  after(id: number, limit: number): Settlement[];
  totalsOf(meterId: string): ChainTotals | undefined;
  chainState(): ChainState;
  /** Absent where there is no chain. */
  chainHealth?(): ChainHealth;
}

/** One change of the schema; applied once, in order, each in a transaction of its own. */
export interface Migration {
  /** Unique, never changed after release: "ledger-1", "chain-1". */
  readonly name: string;
  readonly sql: string;
}

/** The ledger's one SQLite file (WAL, synchronous FULL). All use is synchronous, so transactions never interleave. */
export interface Database {
  readonly sqlite: DatabaseSync;
  /** Commits what `work` did, or rolls all of it back and throws what `work` threw. Not nestable. */
  transaction<T>(work: () => T): T;
  /** What was ever found wrong with the file since it was opened, in words; null when nothing. */
  damage?(): string | null;
}

/** Another oracle of the zone's attestors. */
export interface Peer {
  /** Identity key, base58. */
  readonly oracle: string;
  /** Attestor key, base58. */
  readonly attestor: string;
  /** Where its HTTP is; `/cosign` is asked there. */
  readonly url: string;
  /** Opens a connection whose other side has proved its name; needed for https. Rejects with what is wrong, in words. */
  readonly dial?: () => Promise<Duplex>;
}

/** What `POST /cosign` is answered with, as JSON: a signature, or why not. */
export interface CosignAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Several oracles attest together [settlement §8]. */
export interface CosignDeps {
  readonly peers: readonly Peer[];
  /** Signatures that this oracle wants at least; the zone's own threshold holds too. */
  readonly threshold: number;
  /** This oracle's identity key. */
  readonly signer: Signer;
  readonly verifier: Verifier;
  /**
   * Verifies and stores messages that another oracle (32 bytes) showed, like any that arrive; returns after the commit.
   * What cannot be stored is left out.
   */
  readonly exchange: (from: Uint8Array, messages: readonly Uint8Array[]) => void;
}

/** What the chain side is given. */
export interface ChainDeps {
  readonly options: {
    /** 8 bytes; compared with the registry's Config at start. */
    readonly networkId: Uint8Array;
    readonly rpcUrl: string;
    /** Solana JSON array of 64 bytes. */
    readonly attestorKeyFile: string;
    readonly snapshotUrl?: string;
    readonly graceMs: number;
    readonly commitment: 'confirmed' | 'finalized';
    /** Real ms after which another attestor leads. */
    readonly roundMs?: number;
  };
  /** Already migrated with `chainMigrations`. */
  readonly database: Database;
  readonly statements: StatementStore;
  /** Meters that the ledger has heard of, hex: a registry that lacks one of them is an older or another one. */
  readonly knownMeters?: readonly string[];
  /** Real time at which the reading clock reached (or will reach) an instant; for close_to_mint_ms and grace. */
  readonly realTimeOf: (readingMs: number) => number;
  readonly clock: Clock;
  readonly realClock: RealClock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  /** Absent where this is the only attestor. */
  readonly cosign?: CosignDeps;
}

/**
 * The chain side. `oracle/src/wiring/chain.ts` exports `chainMigrations: readonly Migration[]` and
 * `startSettlement(deps: ChainDeps): Promise<Chain>`. Resolving needs no node: a node that is away is waited for.
 */
export interface Chain {
  readonly registry: Registry;
  readonly settlements: Settlements;
  /** Base58 public key of the attestor. */
  readonly attestor: string;
  /** Answers another oracle that asks for a signature; absent where there are no others. Never rejects. */
  readonly cosign?: ((body: Uint8Array) => Promise<CosignAnswer>) | null;
  /** Begins to send; called once the ledger serves. */
  start(): void;
  /** Finishes what is in flight as far as it can, takes the last snapshot; never rejects. */
  stop(): Promise<void>;
}

/** One verified reading as dashboards and regulators see it. */
export interface SeriesPoint {
  /** Milliseconds since 1970 of the clock that drives readings. */
  readonly timeMs: number;
  readonly meterId: string;
  readonly zone: number;
  readonly role: Role;
  readonly source: number;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  readonly powerW: number | null;
  /** 0.1 V. */
  readonly voltageDv: number | null;
  /** 0.01 Hz. */
  readonly frequencyChz: number | null;
  readonly quality: number;
  readonly seq: bigint;
  /** False when its verdict was revised since: it stays visible and counts for nothing. */
  readonly isVerified: boolean;
}

/**
 * Readings by time that are or were verified. Same meter and time overwrite, so writing twice is the same as writing once. Both methods
 * reject when the store cannot be reached; nothing is dropped then, the caller writes again.
 */
export interface TimeSeries {
  /** Resolves when all points are stored durably. */
  write(points: readonly SeriesPoint[]): Promise<void>;
  /** Points of one meter with `fromMs` <= time < `toMs`, times rising, at most `limit`. */
  range(meterId: string, fromMs: number, toMs: number, limit: number): Promise<SeriesPoint[]>;
  close(): Promise<void>;
}
