import type { Enrolled } from './ops.js';

/** The rules that a control may remove from the model, one at a time; the campaign must then find a difference. */
export const RULES = [
  'version',
  'moved',
  'caps',
  'extra',
  'newer',
  'over',
  'quorum',
  'gatewayWait',
  'frozen',
  'quality',
  'presentKey',
  'firstWindow',
  'cursor',
  'budget',
  'budgetWindow',
  'retired',
  'answerTime',
  'rotationTime',
  'pending',
  'deviceKey',
  'enrolment',
  'claimed',
  'limits',
  'capacity',
  'capacityBack',
  'point',
  'keyEpoch',
  'zoneUser',
  'sameInstaller',
  'reactivation',
  'totalsFell',
  'stoodStill',
  'carried',
  'evidenceKept',
  'slotMoved',
  'signedFor',
  'restart',
  'closedStill',
  'oneKey',
  'attestorWait',
  'cancelRight',
] as const;
export type Rule = (typeof RULES)[number];

/** Export and import, Wh. */
export interface Pair {
  readonly exportWh: bigint;
  readonly importWh: bigint;
}

export interface AttestorSet {
  readonly keys: readonly string[];
  readonly threshold: number;
}

export interface ModelZone {
  readonly number: number;
  readonly utility: string;
  readonly capacityW: bigint;
  confirmedW: bigint;
  meterCount: number;
  evidenceCount: number;
  epoch: number;
  changed: number;
  inForce: AttestorSet;
  announced: (AttestorSet & { readonly window: number }) | undefined;
}

export interface Limits {
  readonly exportW: number;
  readonly importW: number;
  readonly step: number;
  readonly tariffClass: number;
  readonly deviceSigned: boolean;
}

/** Zone and name of a meter: `7/3`. Meters of two zones may have one name, which is their meter_id. */
export type MeterRef = string;
/** Zone and number of a page: `7/0`. */
export type PageRef = string;

export type MeterStatus = 'pending' | 'active' | 'suspended' | 'closed' | 'replaced';

export interface ModelMeter {
  /** The enrolment that the record was written from. */
  readonly message: Enrolled;
  readonly ref: MeterRef;
  readonly zone: number;
  readonly name: string;
  readonly owner: string;
  readonly installer: string;
  readonly point: string;
  /** 0: a connection point, which has a slot. */
  readonly role: number;
  readonly enrolled: number;
  /** Claimed by the device; after the confirmation: accepted by the utility. */
  deviceSigned: boolean;
  key: string;
  previousKey: string | undefined;
  previousLast: number;
  keyEpoch: number;
  rotated: number;
  firstValid: number;
  baselineWindow: number;
  baseline: Pair;
  carried: Pair;
  status: MeterStatus;
  /** Page and slot of the record; undefined without a slot. */
  place: { readonly page: number; readonly slot: number } | undefined;
  limits: Limits | undefined;
  confirmed: number;
  acceptedDispute: number;
}

/** A slot of a page and of the ledger beside it; all zero before activate_slot. */
export interface ModelSlot {
  exportWh: bigint;
  importWh: bigint;
  window: number;
  exportCap: bigint;
  importCap: bigint;
  active: boolean;
  suspended: boolean;
  closed: boolean;
  disputed: boolean;
  extra: boolean;
  moved: boolean;
  submitted: boolean;
  attestors: number;
  epoch: number;
  mintedWh: bigint;
  pooledWh: bigint;
  retiredWh: bigint;
  toWallet: boolean;
}

export const emptySlot = (): ModelSlot => ({
  exportWh: 0n,
  importWh: 0n,
  window: 0,
  exportCap: 0n,
  importCap: 0n,
  active: false,
  suspended: false,
  closed: false,
  disputed: false,
  extra: false,
  moved: false,
  submitted: false,
  attestors: 0,
  epoch: 0,
  mintedWh: 0n,
  pooledWh: 0n,
  retiredWh: 0n,
  toWallet: false,
});

export interface ModelPage {
  readonly zone: number;
  readonly page: number;
  version: bigint;
  moves: number;
  highest: number;
  /** The slots that were ever assigned, by number. */
  readonly slots: Map<number, ModelSlot>;
}

export interface ModelBudget {
  mintedWh: bigint;
  from: number;
  newest: number;
}

export interface ModelCase {
  number: number;
  opened: number;
  window: number;
  total: Pair;
  /** The key that contradicted; only this key can answer. */
  key: string;
  attestors: number;
  verdict: number;
}

/** The entry that an accepted instruction adds to a page's history. */
export interface Change {
  readonly page: PageRef;
  readonly signers: number;
  /** A statement's payload, the slot as written, a verdict, or nothing. */
  readonly extra: 'payload' | 'slot' | 'verdict' | 'nothing';
  readonly slot?: ModelSlot;
}

/** 'refused', 'unchanged', or the change of the page. */
export type Outcome = 'refused' | 'unchanged' | Change;

/** ⌈W · 0.25 h · 1.1⌉. */
export const windowWh = (watts: bigint): bigint => (watts * 11n + 39n) / 40n;
