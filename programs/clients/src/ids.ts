import { PublicKey } from '@solana/web3.js';
import ids from '../../ids.json' with { type: 'json' };

/** Addresses of the five programs on a development chain; trading and governance are fixed ahead of their code. */
export const programIds = {
  registry: new PublicKey(ids.registry),
  oracle: new PublicKey(ids.oracle),
  energyToken: new PublicKey(ids.energyToken),
  trading: new PublicKey(ids.trading),
  governance: new PublicKey(ids.governance),
} as const;

export const TOKEN_2022_ID = new PublicKey('TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb');
export const ASSOCIATED_TOKEN_ID = new PublicKey('ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL');
export const UPGRADEABLE_LOADER_ID = new PublicKey('BPFLoaderUpgradeab1e11111111111111111111111');

/** Meters on one page. */
export const SLOTS_PER_PAGE = 256;
/** GXT has 6 decimals and is one kilowatt-hour, so a watt-hour is 1,000 base units. */
export const GXT_DECIMALS = 6;
