import {
  type CodedValue,
  encodePayload,
  Kind,
  MAX_U16,
  type MerkleBuilder,
  type PointStatement,
  Quality,
  SYNCHRONISED_UNCERTAINTY_MS,
  sha256,
} from '@gridtokenx/protocol';
import type { FurtherSample, MeterSample } from '../ports.js';
import type { ClosedWindow } from './windows.js';

export interface MeterIdentity {
  readonly networkId: Uint8Array;
  readonly meterId: Uint8Array;
}

/** The place of a message of kind 1 or 3: its seq, its predecessor's hash, and the count of its run. */
export interface Place {
  readonly identity: MeterIdentity;
  readonly seq: bigint;
  readonly prev: Uint8Array;
  readonly boots: number;
}

/** Content of an event beside its code; the other fields are zero. */
export interface EventFields {
  readonly detail?: number;
  readonly value?: bigint;
  readonly data?: Uint8Array;
  readonly quality?: number;
}

/** Returns the quality bits that every message of this gateway has, and the bit of an unsynchronised clock. */
export function clockQuality(uncertaintyMs: number | null): number {
  return Quality.gatewaySigned | (isSynchronised(uncertaintyMs) ? 0 : Quality.unsynchronised);
}

/** Returns true for a time that is known within 60 s; null is unknown. */
export function isSynchronised(uncertaintyMs: number | null): boolean {
  return uncertaintyMs !== null && uncertaintyMs <= SYNCHRONISED_UNCERTAINTY_MS;
}

/** Encodes a reading, 96 bytes. */
export function readingPayload({ identity, seq, prev, boots }: Place, sample: MeterSample, quality: number) {
  return encodePayload({
    kind: Kind.reading,
    ...identity,
    seq,
    timeMs: BigInt(sample.timeMs),
    importWh: sample.importWh,
    exportWh: sample.exportWh,
    powerW: sample.powerW,
    voltageDv: sample.voltageDv,
    frequencyChz: sample.frequencyChz,
    timeUncertaintyMs: sample.uncertaintyMs,
    quality,
    bootCount: boots & MAX_U16,
    raw: sha256(sample.raw).slice(0, 4),
    prev,
  });
}

/** Encodes values that are never billed, 96 bytes. They are no link of the chain. */
export function moreValuesPayload(
  head: MeterIdentity & { readonly seq: bigint },
  sample: FurtherSample,
  values: readonly CodedValue[],
): Uint8Array {
  return encodePayload({
    kind: Kind.moreValues,
    ...head,
    timeMs: BigInt(sample.timeMs),
    values,
    timeUncertaintyMs: sample.uncertaintyMs,
  });
}

/** Encodes an event at a time of the reading clock, 96 bytes. */
export function eventPayload(
  { identity, seq, prev, boots }: Place,
  at: { readonly nowMs: number; readonly uncertaintyMs: number | null },
  code: number,
  fields: EventFields,
): Uint8Array {
  return encodePayload({
    kind: Kind.event,
    ...identity,
    seq,
    timeMs: BigInt(at.nowMs),
    code,
    quality: clockQuality(at.uncertaintyMs) | (fields.quality ?? 0),
    bootCount: boots,
    detail: fields.detail ?? 0,
    value: fields.value ?? 0n,
    data: fields.data ?? new Uint8Array(16),
    prev,
  });
}

/** Builds the statement of a window over the readings in `leaves`. */
export function statementOf(
  { window, importWh, exportWh, quality, uncertaintyMs }: ClosedWindow,
  leaves: MerkleBuilder,
): PointStatement {
  return {
    kind: Kind.statement,
    window,
    importWh,
    exportWh,
    readingCount: Math.min(leaves.count, MAX_U16),
    quality: quality | Quality.gatewaySigned,
    timeUncertaintyMs: uncertaintyMs,
    readingsRoot: leaves.root(),
  };
}
