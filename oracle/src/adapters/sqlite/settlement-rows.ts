import type { SQLInputValue } from 'node:sqlite';
import { asWh, asWindow } from '@gridtokenx/protocol';
import type { Intent, IntentItem } from '../../domain/settlement/ports.js';

export type Row = Record<string, SQLInputValue>;

const bigints = new Set(['exportWh', 'importWh']);

/** Items as JSON text, 64-bit numbers as decimal text. */
export function itemsToText(items: readonly IntentItem[]): string {
  return JSON.stringify(items, (_key, value) => (typeof value === 'bigint' ? String(value) : value));
}
function itemsFromText(text: string): IntentItem[] {
  return JSON.parse(text, (key, value) => (bigints.has(key) ? asWh(BigInt(value)) : value)) as IntentItem[];
}

/** A stored transaction with its items. */
export function toIntent(row: Row): Intent {
  return {
    id: Number(row.id),
    kind: String(row.kind) as Intent['kind'],
    zone: Number(row.zone),
    page: Number(row.page),
    version: BigInt(row.version as bigint),
    moves: Number(row.moves),
    history: row.history as Uint8Array,
    expectedHistory: (row.expected_history as Uint8Array | null) ?? null,
    window: row.window === null ? null : asWindow(Number(row.window)),
    items: itemsFromText(String(row.items)),
    raw: row.raw as Uint8Array,
    signature: String(row.signature),
    blockhash: String(row.blockhash),
    lastValidHeight: Number(row.last_valid_height),
    createdAtMs: Number(row.created_ms),
  };
}
