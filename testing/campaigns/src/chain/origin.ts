import { decodeConfig, instructions, pda } from '@gridtokenx/chain-client';
import { Chain } from '@gridtokenx/testing-kit/chain/harness';
import { START } from '@gridtokenx/testing-kit/chain/world';
import type { Keypair, TransactionInstruction } from '@solana/web3.js';
import { apply } from './apply.js';
import { Driver } from './driver.js';
import { Model } from './model.js';
import type { Limits, Rule } from './model-state.js';
import { newZone } from './model-zones.js';
import { ATTESTORS, HOME, installerOf, NEXT, named, OWNERS, utilityOf } from './names.js';
import type { Enrolled, Instruction } from './ops.js';

/** Start of an episode: enough windows after the enrolments for a rise that the first budget does not hold. */
export const BEGIN = START + 900 * 12;
/** W: eight meters of 5 kW, and room for one more. */
const HOME_CAPACITY_W = 45_000n;
const NEXT_CAPACITY_W = 12_000n;
/** Meters that the first zone has had before: five of the eight belong to its first page, the rest to its second. */
const EARLIER_METERS = 251;
const METERS = 8;
const NEXT_METERS = 2;

export const LIMITS: Omit<Limits, 'deviceSigned'> = { exportW: 5_000, importW: 10_000, step: 1, tariffClass: 1 };
const ownerOf = (index: number) => OWNERS[index % 2] ?? 'owner';
const isDeviceSigned = (index: number) => index % 4 !== 3;

/** The chain that every episode starts from. */
export interface Origin {
  readonly chain: Chain;
  readonly networkId: Uint8Array;
  /** The ops that led there; they lead a model there too. */
  readonly ops: readonly Instruction[];
}

function enrolment(zone: number, index: number): Enrolled {
  return {
    network: true,
    zone,
    about: `${index}`,
    owner: ownerOf(index),
    role: 0,
    deviceSigned: isDeviceSigned(index),
    epoch: 0,
    window: Math.floor(START / 900),
    raw: { exportWh: 2_000n, importWh: 1_000n },
    key: `key ${zone}/${index}`,
  };
}

function meterOps(zone: number, index: number): Instruction[] {
  const meter = `${zone}/${index}`;
  const message = enrolment(zone, index);
  const limits = { ...LIMITS, deviceSigned: message.deviceSigned };
  const point = `${index}`;
  return [
    { kind: 'register', meter, by: installerOf(zone), point, message },
    { kind: 'confirm', meter, by: utilityOf(zone), key: message.key, message, point, limits },
    { kind: 'activate', meter },
    { kind: 'destination', meter, by: message.owner, wallet: index % 3 === 0 },
  ];
}

/** Creates people, pages and meters by the campaign's own ops. */
function setUpOps(): Instruction[] {
  const ops: Instruction[] = [];
  for (const zone of [HOME, NEXT]) {
    const by = utilityOf(zone);
    ops.push({ kind: 'announce', zone, by: 'authority', keys: ATTESTORS[zone] ?? [], threshold: 2 });
    ops.push({ kind: 'user', zone, by, wallet: installerOf(zone), role: 2 });
    ops.push(
      { kind: 'user', zone, by, wallet: 'owner', role: 1 },
      { kind: 'user', zone, by, wallet: 'neighbour', role: 1 },
    );
    for (const page of zone === HOME ? [0, 1] : [0]) {
      const ledger = { kind: 'createLedger', zone, page } as const;
      ops.push({ kind: 'createPage', zone, page }, ledger, ledger);
    }
    ops.push({ kind: 'createBudget', zone });
    for (let index = 0; index < (zone === HOME ? METERS : NEXT_METERS); index++) ops.push(...meterOps(zone, index));
  }
  ops.push({ kind: 'user', zone: HOME, by: utilityOf(HOME), wallet: 'operator', role: 3 });
  return ops;
}

/** Creates Config, the mint and both zones; the first zone has had meters before. */
function deploy(chain: Chain): void {
  chain.time = START;
  const payer = chain.payer.publicKey;
  const authority = named('authority').publicKey;
  const must = (instruction: TransactionInstruction, ...signers: Keypair[]) => chain.must([instruction], signers);
  must(
    instructions.initialize({
      upgradeAuthority: chain.upgradeAuthority.publicKey,
      payer,
      authority,
      genesisHash: new Uint8Array(32).fill(3),
      salt: new Uint8Array(16).fill(4),
      development: false,
    }),
    chain.upgradeAuthority,
  );
  must(instructions.initializeToken({ payer }));
  for (const [zone, capacityW] of CAPACITIES) {
    const utility = named(utilityOf(zone)).publicKey;
    must(instructions.createZone({ authority, payer, zone, utility, capacityW }), named('authority'));
  }
  const home = chain.account(pda.zone(HOME));
  if (!home) throw new Error('no zone');
  const data = Buffer.from(home.data);
  data.writeUInt32LE(EARLIER_METERS, 24);
  chain.put(pda.zone(HOME), { owner: home.owner, data });
  for (const name of OWNERS) must(instructions.createOwnerTokenAccount({ payer, owner: named(name).publicKey }));
}

const CAPACITIES = [
  [HOME, HOME_CAPACITY_W],
  [NEXT, NEXT_CAPACITY_W],
] as const;

/** Returns a model of the chain's start: the same ops, by the rules. */
export function modelOf(origin: Origin, off: Rule | undefined): Model {
  const model = new Model(START, off);
  for (const [zone, capacityW] of CAPACITIES) model.zones.set(zone, newZone(zone, utilityOf(zone), capacityW));
  const home = model.zones.get(HOME);
  if (home) home.meterCount = EARLIER_METERS;
  for (const op of origin.ops) apply(model, op);
  model.time = BEGIN;
  return model;
}

let made: Origin | undefined;

/** Returns the chain that every episode starts from; made once in a process. */
export function origin(): Origin {
  if (made) return made;
  const chain = new Chain();
  deploy(chain);
  const networkId = chain.get(pda.config(), decodeConfig).networkId;
  const ops = setUpOps();
  const driver = new Driver(chain, networkId);
  const model = modelOf({ chain, networkId, ops: [] }, undefined);
  model.time = START;
  for (const op of ops) {
    const sending = driver.sending(op, model);
    chain.must(sending.instructions, sending.signers);
    apply(model, op);
  }
  chain.time = BEGIN;
  made = { chain, networkId, ops };
  return made;
}
