/** The rules that a control may take out of the model, one at a time; the campaign must then find a difference. */
export const RULES = [
  'version',
  'moved',
  'caps',
  'extra',
  'newer',
  'over',
  'gatewayWait',
  'frozen',
  'quality',
  'presentKey',
  'firstWindow',
  'cursor',
  'retired',
  'answerTime',
  'rotationTime',
  'acceptedFloor',
] as const;
export type Rule = (typeof RULES)[number];

export interface ModelMeter {
  readonly name: string;
  readonly owner: string;
  readonly deviceSigned: boolean;
  key: string;
  previousKey: string | undefined;
  previousLast: number;
  keyEpoch: number;
  rotated: number;
  firstValid: number;
  baseline: Pair;
  carried: Pair;
  status: 'active' | 'suspended' | 'closed' | 'replaced';
  slot: number | undefined;
  acceptedDispute: number;
}

/** Export and import, Wh. */
export interface Pair {
  readonly exportWh: bigint;
  readonly importWh: bigint;
}

export interface ModelSlot {
  exportWh: bigint;
  importWh: bigint;
  window: number;
  active: boolean;
  suspended: boolean;
  closed: boolean;
  disputed: boolean;
  extra: boolean;
  moved: boolean;
  attestors: number;
  epoch: number;
  mintedWh: bigint;
  pooledWh: bigint;
  retiredWh: bigint;
  toWallet: boolean;
}

export interface ModelCase {
  number: number;
  opened: number;
  window: number;
  total: Pair;
  attestors: number;
  verdict: number;
}

/** What an accepted instruction adds to the page's history; nothing when it does not touch the page. */
export interface Change {
  readonly signers: number;
  /** A statement's payload, the slot as written, a verdict, or nothing. */
  readonly extra: 'payload' | 'slot' | 'verdict' | 'nothing';
  readonly slot?: number;
}

/** 'refused', or what became of the page. */
export type Outcome = 'refused' | 'unchanged' | Change;

/** ⌈5,000 W · 0.25 h · 1.1⌉ and ⌈10,000 W · 0.25 h · 1.1⌉, and 1 Wh of register step. */
export const CAP = { exportWh: 1_376n, importWh: 2_751n } as const;
