// Accounts and events of the program energy_token. Fields are [name, type, doc].
import { key, b } from './parts.mjs';

export const accounts = {
  TokenConfig: [
    ['mint', key],
    ['vault', key],
    ['vault_authority', key],
    ['bump', 'u8'],
    ['mint_bump', 'u8'],
    ['mint_authority_bump', 'u8'],
    ['reserved', b(61)],
  ],
  LedgerPage: [
    ['lost_wh', 'u64', 'Energy lost on the way between zones, burned.'],
    ['page', 'u32'],
    ['zone', 'u16'],
    ['bump', 'u8'],
    ['format', 'u8', '1.'],
    ['reserved', b(40)],
    ['slots', [{ defined: { name: 'LedgerSlot' } }, 256]],
  ],
  Budget: [
    ['minted_wh', 'u64', 'Minted in the zone; never falls.'],
    ['from_window', 'u32', 'One before the highest window of the first page that was minted.'],
    ['newest_window', 'u32', 'Highest window of all pages minted; 0 before the first mint.'],
    ['zone', 'u16'],
    ['bump', 'u8'],
    ['format', 'u8', '1.'],
    ['reserved', b(36)],
  ],
};

export const types = {
  LedgerSlot: [
    ['minted_wh', 'u64'],
    ['pooled_wh', 'u64'],
    ['retired_wh', 'u64'],
    ['sold_back_wh', 'u64'],
    ['certified_wh', 'u64'],
    ['import_closed_wh', 'u64', 'Import at the last market close.'],
    ['flags', 'u32', '1: destination is the wallet, else the pool.'],
    ['padding', 'u32'],
  ],
};

export const events = {
  TokenInitialized: [['mint', key], ['vault', key]],
  LedgerPageCreated: [['zone', 'u16'], ['page', 'u32']],
  DestinationSet: [['meter_id', b(16)], ['zone', 'u16'], ['page', 'u32'], ['slot', 'u16'], ['destination', 'u8']],
  BudgetCreated: [['zone', 'u16']],
  PageMinted: [
    ['zone', 'u16'], ['page', 'u32'], ['slots', 'u16'], ['minted_wh', 'u64'], ['amount', 'u64'],
    ['skipped', b(32), 'Bitmap of the slots whose energy does not fit the budget now.'],
  ],
  MintSkipped: [['meter_id', b(16)], ['zone', 'u16'], ['page', 'u32'], ['slot', 'u16'], ['due_wh', 'u64']],
  MeterMinted: [
    ['meter_id', b(16)], ['owner', key], ['zone', 'u16'], ['page', 'u32'], ['slot', 'u16'], ['minted_wh', 'u64'], ['amount', 'u64'],
  ],
  Retired: [
    ['meter_id', b(16)], ['owner', key], ['zone', 'u16'], ['page', 'u32'], ['slot', 'u16'], ['retired_wh', 'u64'], ['amount', 'u64'],
  ],
};
