import { Reason, WireError } from '../reasons.js';
import type { Wh, Window } from '../units.js';
import { type Fields, fixed, int, u16, u32, u64 } from './fields.js';
import { Kind, type PayloadHeader, type ToEncode } from './header.js';

export const Source = { none: 0, solar: 1, wind: 2, storage: 3, hybrid: 4, other: 5 } as const;
export type Source = (typeof Source)[keyof typeof Source];
export const Role = { point: 0, production: 1, consumption: 2 } as const;
export type Role = (typeof Role)[keyof typeof Role];

export interface Enrolment extends PayloadHeader {
  readonly kind: typeof Kind.enrolment;
  /** The owner's wallet, 32 bytes. */
  readonly owner: Uint8Array;
  /** Registers at commissioning. */
  readonly importWh: Wh;
  readonly exportWh: Wh;
  readonly zone: number;
  readonly source: Source;
  readonly role: Role;
  readonly deviceSigned: boolean;
  readonly keyEpoch: number;
  readonly window: Window;
}

/** Writes the fields behind the header; throws `RangeError` for one that does not fit. */
export function writeEnrolment({ bytes, view }: Fields, p: ToEncode<Enrolment>): void {
  bytes.set(fixed('owner', p.owner, 32), 36);
  view.setBigUint64(68, u64('importWh', p.importWh), true);
  view.setBigUint64(76, u64('exportWh', p.exportWh), true);
  view.setUint16(84, u16('zone', p.zone), true);
  bytes[86] = int('source', p.source, 0, 5);
  bytes[87] = int('role', p.role, 0, 2) | (p.deviceSigned ? 4 : 0);
  view.setUint32(88, u32('keyEpoch', p.keyEpoch), true);
  view.setUint32(92, u32('window', p.window), true);
}

/** Reads the fields behind the header. Throws `WireError` *malformed* for a value outside its range. */
export function readEnrolment(fields: Fields, header: PayloadHeader): Enrolment {
  const { bytes, view } = fields;
  const source = bytes[86] ?? 0;
  const flags = bytes[87] ?? 0;
  if (source > 5) throw new WireError(Reason.malformed, `enrolment source ${source}`);
  if (flags > 7 || (flags & 3) === 3) throw new WireError(Reason.malformed, `enrolment role bits ${flags}`);
  return {
    kind: Kind.enrolment,
    ...header,
    owner: fields.slice(36, 32),
    importWh: view.getBigUint64(68, true) as Wh,
    exportWh: view.getBigUint64(76, true) as Wh,
    zone: view.getUint16(84, true),
    source: source as Source,
    role: (flags & 3) as Role,
    deviceSigned: (flags & 4) !== 0,
    keyEpoch: view.getUint32(88, true),
    window: view.getUint32(92, true) as Window,
  };
}
