import { pda } from '@gridtokenx/chain-client';
import type { PublicKey } from '@solana/web3.js';
import { nameOf, zoneOf } from './model.js';
import { commitmentOf, HOME, idOf, NEXT, named, OWNERS } from './names.js';

/** Addresses are functions of seeds; a process derives each address once. */
const found = new Map<string, PublicKey>();

function once(name: string, derive: () => PublicKey): PublicKey {
  const known = found.get(name) ?? derive();
  found.set(name, known);
  return known;
}

export const zoneAddress = (zone: number): PublicKey => once(`zone ${zone}`, () => pda.zone(zone));
export const budgetAddress = (zone: number): PublicKey => once(`budget ${zone}`, () => pda.budget(zone));
export const pageAddress = (zone: number, page: number): PublicKey =>
  once(`page ${zone}/${page}`, () => pda.meterPage(zone, page));
export const ledgerAddress = (zone: number, page: number): PublicKey =>
  once(`ledger ${zone}/${page}`, () => pda.ledgerPage(zone, page));
/** The mint under the name `supply`, the pool's vault, and the account of each owner. */
export const tokenAddresses = (): ReadonlyMap<string, PublicKey> =>
  new Map([
    ['supply', once('mint', () => pda.mint())],
    ['pool', once('vault', () => pda.poolVault())],
    ...OWNERS.map(
      (name) => [name, once(`tokens ${name}`, () => pda.ownerTokenAccount(named(name).publicKey))] as const,
    ),
  ]);

/** Address of a connection point, by zone and name: `7/3`. */
export const pointAddress = (ref: string): PublicKey =>
  once(`point ${ref}`, () => pda.point(zoneOf(ref), commitmentOf(nameOf(ref))));

export const recordAddress = (ref: string): PublicKey =>
  once(`meter ${ref}`, () => pda.meter(zoneOf(ref), idOf(nameOf(ref))));

/** Address of a user, by zone and wallet. */
export const userAddress = (ref: string): PublicKey =>
  once(`user ${ref}`, () => pda.user(zoneOf(ref), named(nameOf(ref)).publicKey));

/** Returns the address of a slot's case, by zone, page and slot. */
export function caseAddress(ref: string): PublicKey {
  const [zone, page, slot] = ref.split('/').map(Number);
  return once(`case ${ref}`, () => pda.dispute(zone ?? 0, page ?? 0, slot ?? 0));
}

const others = new Map<string, PublicKey>();

function pair(of: (zone: number) => PublicKey): void {
  const [home, next] = [of(HOME), of(NEXT)];
  others.set(home.toBase58(), next);
  others.set(next.toBase58(), home);
}

/** Returns the address of the same object in the other zone; undefined for an object without a zone. */
export function counterpart(address: PublicKey): PublicKey | undefined {
  if (others.size === 0) {
    pair(zoneAddress);
    pair(budgetAddress);
    for (const page of [1, 0]) {
      pair((zone) => (zone === HOME ? pageAddress(zone, page) : pageAddress(zone, 0)));
      pair((zone) => (zone === HOME ? ledgerAddress(zone, page) : ledgerAddress(zone, 0)));
    }
    for (const name of ['owner', 'neighbour']) pair((zone) => userAddress(`${zone}/${name}`));
    for (const name of ['0', '1', '2', '3', '8']) {
      pair((zone) => recordAddress(`${zone}/${name}`));
      pair((zone) => pointAddress(`${zone}/${name}`));
    }
  }
  return others.get(address.toBase58());
}
