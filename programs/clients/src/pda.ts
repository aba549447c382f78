import { PublicKey } from '@solana/web3.js';
import { ASSOCIATED_TOKEN_ID, programIds, TOKEN_2022_ID, UPGRADEABLE_LOADER_ID } from './ids.js';

const text = (value: string) => new TextEncoder().encode(value);

function u16(value: number): Uint8Array {
  const out = new Uint8Array(2);
  new DataView(out.buffer).setUint16(0, value, true);
  return out;
}

function u32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value, true);
  return out;
}

function find(program: PublicKey, ...seeds: Uint8Array[]): PublicKey {
  return PublicKey.findProgramAddressSync(seeds, program)[0];
}

function sized(value: Uint8Array, size: number, name: string): Uint8Array {
  if (value.length !== size) throw new RangeError(`${name} has ${size} bytes, not ${value.length}`);
  return value;
}

/** Associated Token-2022 account of `wallet` for `mint`. */
export function associatedToken(wallet: PublicKey, mint: PublicKey): PublicKey {
  return find(ASSOCIATED_TOKEN_ID, wallet.toBytes(), TOKEN_2022_ID.toBytes(), mint.toBytes());
}

/** Addresses of every account, by the seeds that the programs use. Zone and page numbers are little-endian in seeds. */
export const pda = {
  /** The registry's Config. */
  config: () => find(programIds.registry, text('config')),
  zone: (zone: number) => find(programIds.registry, text('zone'), u16(zone)),
  user: (zone: number, wallet: PublicKey) => find(programIds.registry, text('user'), u16(zone), wallet.toBytes()),
  /** `commitment`: 32 bytes, hides the utility's account number. */
  point: (zone: number, commitment: Uint8Array) =>
    find(programIds.registry, text('point'), u16(zone), sized(commitment, 32, 'point commitment')),
  meter: (zone: number, meterId: Uint8Array) =>
    find(programIds.registry, text('meter'), u16(zone), sized(meterId, 16, 'meter_id')),
  meterPage: (zone: number, page: number) => find(programIds.oracle, text('page'), u16(zone), u32(page)),
  /** A slot's case. */
  dispute: (zone: number, page: number, slot: number) =>
    find(programIds.oracle, text('dispute'), Uint8Array.of(...u16(zone), ...u32(page), ...u16(slot))),
  tokenConfig: () => find(programIds.energyToken, text('config')),
  mint: () => find(programIds.energyToken, text('mint')),
  mintAuthority: () => find(programIds.energyToken, text('mint_authority')),
  ledgerPage: (zone: number, page: number) => find(programIds.energyToken, text('ledger'), u16(zone), u32(page)),
  /** Bounds what the zone can ever mint. */
  budget: (zone: number) => find(programIds.energyToken, text('budget'), u16(zone)),
  /** Owns the pool vault: a PDA of the trading program, which is fixed before that program exists. */
  poolAuthority: () => find(programIds.trading, text('vault_authority')),
  poolVault: () => associatedToken(pda.poolAuthority(), pda.mint()),
  ownerTokenAccount: (wallet: PublicKey) => associatedToken(wallet, pda.mint()),
  /** ProgramData account of an upgradeable program. */
  programData: (program: PublicKey) => find(UPGRADEABLE_LOADER_ID, program.toBytes()),
} as const;
