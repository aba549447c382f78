import { instructions, pda } from '@gridtokenx/chain-client';
import { asWh } from '@gridtokenx/protocol';
import type { TransactionInstruction } from '@solana/web3.js';
import type { World } from './world.js';

export type ProgramName = 'registry' | 'oracle' | 'energy_token';

/** Builds one instruction, for uses where the world's state does not matter. */
export type Every = readonly [ProgramName, string, () => TransactionInstruction];

function ofRegistry(world: () => World): Every[] {
  const key = (seed: number) => pda.user(world().zone, pda.zone(seed));
  const id = (seed: number) => new Uint8Array(16).fill(seed);
  return [
    ['registry', 'initialize', () => world().initialize()],
    ['registry', 'create_zone', () => world().createZone(3)],
    ['registry', 'announce_attestors', () => world().announceAttestors()],
    ['registry', 'install_attestors', () => instructions.installAttestors({ zone: 7 })],
    ['registry', 'cancel_attestors', () => instructions.cancelAttestors({ zone: 7, signers: [] })],
    ['registry', 'register_user', () => world().registerUser(key(1), 1)],
    ['registry', 'register_meter', () => world().register(world().meter('z'))[1] as TransactionInstruction],
    ['registry', 'confirm_meter', () => world().confirm(world().meter('z'))],
    [
      'registry',
      'rotate_key',
      () => instructions.rotateKey({ utility: key(1), recoveryAuthority: key(2), zone: 7, page: 1, meterId: id(1) }),
    ],
    [
      'registry',
      'replace_meter',
      () =>
        instructions.replaceMeter({
          utility: key(1),
          payer: world().payer,
          zone: 7,
          page: 1,
          oldMeterId: id(1),
          meterId: id(2),
          point: key(3),
          exportLimitW: 1,
          importLimitW: 2,
          registerStepWh: 3,
          tariffClass: 4,
          deviceSigned: true,
        }),
    ],
    [
      'registry',
      'set_status',
      () =>
        instructions.setStatus({
          utility: key(1),
          zone: 7,
          meterId: id(1),
          point: key(3),
          page: 1,
          dispute: key(4),
          status: 'active',
        }),
    ],
  ];
}

function ofOracle(world: () => World): Every[] {
  const id = (seed: number) => new Uint8Array(16).fill(seed);
  return [
    ['oracle', 'create_page', () => instructions.createPage({ payer: world().payer, zone: 7, page: 1 })],
    ['oracle', 'activate_slot', () => instructions.activateSlot({ meterId: new Uint8Array(16), zone: 7, page: 1 })],
    [
      'oracle',
      'attest_page',
      () =>
        instructions.attestPage({
          zone: 7,
          page: 0,
          version: 1n,
          moves: 2,
          window: 3,
          root: new Uint8Array(32).fill(4),
          bitmap: new Uint8Array(32).fill(5),
          totals: Uint8Array.of(6, 7, 8),
          attestors: [],
        }),
    ],
    ['oracle', 'submit_statement', () => instructions.submitStatement({ meterId: id(1), zone: 7, page: 1 })],
    ['oracle', 'sync_slot', () => instructions.syncSlot({ meterId: id(1), zone: 7, page: 1 })],
    [
      'oracle',
      'dispute',
      () => instructions.dispute({ payer: world().payer, meterId: id(1), zone: 7, page: 1, slot: 2 }),
    ],
    ['oracle', 'answer', () => instructions.answer({ meterId: id(1), zone: 7, page: 1, slot: 2 })],
    ['oracle', 'conclude_dispute', () => instructions.concludeDispute({ meterId: id(1), zone: 7, page: 1, slot: 2 })],
  ];
}

function ofEnergyToken(world: () => World): Every[] {
  const key = (seed: number) => pda.user(world().zone, pda.zone(seed));
  const id = (seed: number) => new Uint8Array(16).fill(seed);
  return [
    ['energy_token', 'initialize', () => instructions.initializeToken({ payer: world().payer })],
    [
      'energy_token',
      'create_ledger_page',
      () => instructions.createLedgerPage({ payer: world().payer, zone: 7, page: 1 }),
    ],
    ['energy_token', 'create_budget', () => instructions.createBudget({ payer: world().payer, zone: 7 })],
    [
      'energy_token',
      'set_destination',
      () =>
        instructions.setDestination({
          owner: key(2),
          meterId: new Uint8Array(16),
          zone: 7,
          page: 1,
          destination: 'wallet',
        }),
    ],
    ['energy_token', 'mint_page', () => instructions.mintPage({ zone: 7, page: 1 })],
    [
      'energy_token',
      'mint_meter',
      () => instructions.mintMeter({ meterId: new Uint8Array(16), owner: key(2), zone: 7, page: 1 }),
    ],
    [
      'energy_token',
      'retire',
      () => instructions.retire({ owner: key(2), meterId: id(1), zone: 7, page: 1, wh: asWh(5n) }),
    ],
  ];
}

/** Returns every instruction of every program, in the order of the IDL. `world` gives the addresses of each build. */
export function everyInstruction(world: () => World): Every[] {
  return [...ofRegistry(world), ...ofOracle(world), ...ofEnergyToken(world)];
}
