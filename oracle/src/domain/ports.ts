/** Declares ports that several rooms of the domain share. Adapters implement them; `wiring` connects both. */
import type { MeterId, PublicKeyText, Role, Wh, Window } from '@gridtokenx/protocol';

/** One enrolled meter as the registry program holds it. Registers in watt-hours. */
export interface MeterRecord {
  /** Lower-case hex, 32 characters. */
  readonly meterId: MeterId;
  /** The owner's wallet, base58. */
  readonly owner: PublicKeyText;
  /** The device key in force, 32 bytes. */
  readonly key: Uint8Array;
  /** The key before the last rotation: valid for backfill up to `previousKeyLastWindow`. */
  readonly previousKey?: Uint8Array;
  readonly previousKeyLastWindow?: Window;
  readonly signer: 'gateway' | 'device';
  readonly role: Role;
  readonly zone: number;
  /** null for production and consumption meters: they are evidence and have no slot. */
  readonly page: number | null;
  readonly slot: number | null;
  /** Raw registers at enrolment: total = carried + raw - baseline. */
  readonly importBaselineWh: Wh;
  readonly exportBaselineWh: Wh;
  readonly importCarriedWh: Wh;
  readonly exportCarriedWh: Wh;
  readonly exportLimitW: number;
  readonly importLimitW: number;
  /** The enrolment message's window: registers were read in it, nothing before it is taken. */
  readonly enrolmentWindow: Window;
  /** First window for which the chain takes a statement; the ledger stores earlier ones since the enrolment too. */
  readonly firstWindow: Window;
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
  readonly asOf: { readonly chainSlot: number; readonly fetchedAtMs: number };
  /** States the registry's problem in plain words; null or absent for none. */
  readonly problem?: string | null;
  meter(meterId: MeterId): MeterRecord | undefined;
  meters(): readonly MeterRecord[];
  /**
   * Fetches again; calls that come while one is under way, or too soon after one, share its outcome. Rejects when the
   * node cannot be reached: the caller goes on with the state it has.
   */
  refresh(): Promise<void>;
}

/** One verified reading as dashboards and regulators see it. */
export interface SeriesRow {
  /** Milliseconds since 1970 of the clock that drives readings. */
  readonly timeMs: number;
  readonly meterId: MeterId;
  readonly zone: number;
  readonly role: Role;
  readonly source: number;
  readonly importWh: Wh;
  readonly exportWh: Wh;
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
