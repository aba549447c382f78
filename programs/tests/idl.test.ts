import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AnchorError, BorshCoder, EventParser, type Idl, Program } from '@coral-xyz/anchor';
import {
  accountDiscriminator,
  accountSizes,
  chainErrors,
  idl,
  parseChainError,
  pda,
  programIds,
} from '@gridtokenx/chain-client';
import { sha256 } from '@gridtokenx/protocol';
import { everyInstruction } from '@gridtokenx/testing-kit/chain/every';
import { START, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import { Keypair, type PublicKey } from '@solana/web3.js';
import { beforeAll, describe, expect, test } from 'vitest';
import { accountSize, buildIdl } from '../idl/generate.mjs';
import { programs } from '../idl/spec.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const idls = { registry: idl.registry, oracle: idl.oracle, energy_token: idl.energyToken } as const;
/** Only the coder and the account lists are used, so a provider is not needed. */
const programOf = (source: object) => new Program(source as Idl, { connection: {} } as never);

let world: World;
beforeAll(() => {
  world = new World().setUp();
  world.addMeters(2);
});

describe('the files', () => {
  test.each(Object.keys(idls))('%s.json is what its source gives', (name) => {
    const committed = JSON.parse(readFileSync(join(here, `../idl/${name}.json`), 'utf8'));
    expect(committed).toEqual(JSON.parse(JSON.stringify(buildIdl(programs[name as keyof typeof programs]))));
  });

  test('name the programs that are deployed', () => {
    expect(idl.registry.address).toBe(programIds.registry.toBase58());
    expect(idl.oracle.address).toBe(programIds.oracle.toBase58());
    expect(idl.energyToken.address).toBe(programIds.energyToken.toBase58());
  });

  test('have development addresses that follow from their names', () => {
    const names = {
      registry: 'registry',
      oracle: 'oracle',
      energyToken: 'energy-token',
      trading: 'trading',
      governance: 'governance',
    };
    for (const [key, name] of Object.entries(names)) {
      const seed = sha256(new TextEncoder().encode(`gridtokenx/program/${name}/development`));
      expect(programIds[key as keyof typeof programIds]).toEqual(Keypair.fromSeed(seed).publicKey);
    }
  });

  test('give the accounts the sizes that the clients and the programs use', () => {
    for (const program of Object.values(programs)) {
      for (const name of Object.keys(program.accounts)) {
        expect(accountSize(program, name), name).toBe(accountSizes[name as keyof typeof accountSizes]);
      }
    }
    expect(world.chain.account(pda.meterPage(7, 0))?.data).toHaveLength(accountSizes.MeterPage);
    expect(world.chain.account(pda.ledgerPage(7, 0))?.data).toHaveLength(accountSizes.LedgerPage);
    expect(world.chain.account(pda.meter(world.zone, world.meter('0').id))?.data).toHaveLength(accountSizes.Meter);
  });

  test('number the errors as the programs do', () => {
    expect([...chainErrors.keys()]).toEqual([...chainErrors.keys()].map((_, index) => 6_000 + index));
    expect(chainErrors.get(6_005)?.name).toBe('StaleVersion');
  });
});

/** Account names with their flags, as the IDL lists them. */
function listed(source: (typeof idls)[keyof typeof idls], name: string) {
  const found = source.instructions.find((item) => item.name === name);
  if (!found) throw new Error(`no instruction ${name}`);
  return found.accounts as {
    name: string;
    writable?: boolean;
    signer?: boolean;
    address?: string;
    optional?: boolean;
  }[];
}

describe('instructions', () => {
  const built = everyInstruction(() => world);

  test('are all here', () => {
    const names = Object.entries(idls).flatMap(([file, source]) =>
      source.instructions.map((item) => `${file}.${item.name}`),
    );
    expect(built.map(([file, name]) => `${file}.${name}`)).toEqual(names);
  });

  test.each(built)('%s.%s: the client builds what Anchor builds from the IDL', async (file, name, build) => {
    const instruction = build();
    const decoded = new BorshCoder(idls[file] as Idl).instruction.decode(instruction.data);
    expect(decoded).not.toBeNull();
    const program = programOf(idls[file]);
    const method = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    const names = listed(idls[file], name);
    const accounts: Record<string, PublicKey | null> = {};
    for (const [index, { name: account }] of names.entries()) {
      const camel = account.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
      accounts[camel] = instruction.keys[index]?.pubkey ?? null;
    }
    const fields = (decoded?.data ?? {}) as Record<string, unknown>;
    const item = program.idl.instructions.find((entry) => entry.name === method);
    const args = (item?.args ?? []).map(({ name: arg }) => fields[arg.replace(/([A-Z])/g, '_$1').toLowerCase()]);
    const call = program.methods[method];
    if (!call) throw new Error(`Anchor has no ${method}`);
    const anchored = await call(...(args as never[]))
      .accountsStrict(accounts as never)
      .instruction();
    expect(anchored.programId).toEqual(instruction.programId);
    expect(anchored.keys).toEqual(instruction.keys.slice(0, anchored.keys.length));
    expect(Buffer.from(anchored.data).toString('hex')).toBe(Buffer.from(instruction.data).toString('hex'));
  });
});

describe('Anchor reads what the programs write', () => {
  test('accounts', () => {
    for (const [file, name, address] of [
      ['registry', 'Config', pda.config()],
      ['registry', 'Zone', pda.zone(7)],
      ['registry', 'User', pda.user(world.zone, world.owner.publicKey)],
      ['registry', 'Meter', pda.meter(world.zone, world.meter('1').id)],
      ['oracle', 'MeterPage', pda.meterPage(7, 0)],
      ['energy_token', 'TokenConfig', pda.tokenConfig()],
      ['energy_token', 'LedgerPage', pda.ledgerPage(7, 0)],
      ['energy_token', 'Budget', pda.budget(7)],
    ] as const) {
      const data = Buffer.from(world.chain.account(address)?.data ?? []);
      expect(data.subarray(0, 8)).toEqual(Buffer.from(accountDiscriminator(name)));
      const value = new BorshCoder(idls[file] as Idl).accounts.decode(name, data);
      if (name === 'Meter')
        expect(value).toMatchObject({ zone: 7, slot: 1, page: 0, status: 1, enrolment_window: windowAt(START) });
      if (name === 'MeterPage')
        expect(value.slots[1]).toMatchObject({ window: windowAt(START), export_cap: 1_376, flags: 9 });
      if (name === 'LedgerPage') expect(value).toMatchObject({ zone: 7, page: 0 });
    }
  });

  test('events', () => {
    world.chain.time = START + 1_800;
    const window = windowAt(START) + 1;
    const outcome = world.attest({
      window,
      items: world.items(window, new Map([[0, { exportWh: 5n, importWh: 6n }]])),
    });
    const parser = new EventParser(programIds.oracle, new BorshCoder(idl.oracle as Idl));
    const [event] = [...parser.parseLogs([...outcome.logs])];
    expect(event?.name).toBe('PageAttested');
    expect(event?.data).toMatchObject({ zone: 7, page: 0, window, signers: 3 });
    const minted = [
      ...new EventParser(programIds.energyToken, new BorshCoder(idl.energyToken as Idl)).parseLogs([
        ...world.mintPage().logs,
      ]),
    ];
    expect(minted.map(({ name }) => name)).toEqual(['PageMinted']);
    expect(`${minted[0]?.data.minted_wh} ${minted[0]?.data.amount}`).toBe('5 5000');
  });

  test('errors: by its own parser, and by the clients from logs, meta.err and exceptions', () => {
    const outcome = world.chain.send([world.createZone()], [world.authority]);
    const parsed = AnchorError.parse([...outcome.logs]);
    expect(parsed?.error.errorCode).toEqual({ code: 'AccountAlreadyInitialized', number: 6_020 });
    expect(parsed?.error.errorMessage).toBe(chainErrors.get(6_020)?.message);
    expect(parseChainError(outcome.logs)?.code).toBe(6_020);
    expect(parseChainError({ InstructionError: [0, { Custom: 6_020 }] })?.name).toBe('AccountAlreadyInitialized');
    expect(parseChainError(new Error('x', { cause: { logs: outcome.logs } }))?.code).toBe(6_020);
    expect(parseChainError({ InstructionError: [0, { Custom: 1 }] })).toBeUndefined();
    expect(parseChainError('blockhash not found')).toBeUndefined();
  });
});
