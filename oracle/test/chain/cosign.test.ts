import { buildAttestPage } from '@gridtokenx/chain-client';
import { NodeUnavailable } from '@gridtokenx/chain-sender';
import {
  asWh,
  asWindow,
  base58Decode,
  ed25519Signer,
  publicKeyFromBase58,
  signCosignRequest,
} from '@gridtokenx/protocol';
import { keyOf, ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import { verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import { W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import {
  ComputeBudgetProgram,
  type PublicKey,
  SystemProgram,
  type TransactionInstruction,
  TransactionMessage,
} from '@solana/web3.js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { statementAt } from '../../src/domain/settlement/cosigning/judge.js';
import { entryOf, type SlottedMeter } from '../../src/domain/settlement/plan.js';
import type { AttestEntry } from '../../src/domain/settlement/ports.js';
import { Three } from './together.js';
import { ATTESTORS, IDENTITIES, rigOfThree, statementOf } from './together-zone.js';

let three: Three;
const stranger = keyOf('stranger').publicKey;
const attestors = ATTESTORS.map(({ publicKey }) => publicKey);

interface Bent {
  readonly meters: readonly number[];
  readonly signers: readonly PublicKey[];
  readonly payer: PublicKey;
  readonly blockhash: string;
  readonly entries: (entries: AttestEntry[]) => AttestEntry[];
  readonly attest: (instruction: TransactionInstruction) => TransactionInstruction;
  readonly around: (instructions: TransactionInstruction[]) => TransactionInstruction[];
  readonly bytes: (message: Uint8Array) => Uint8Array;
  readonly request: object;
  readonly as: number | null;
}

/** Moves the totals of every entry by so many Wh. */
const shifted = (out: bigint, inward: bigint): Partial<Bent> => ({
  entries: (list) =>
    list.map((one) => ({ ...one, exportWh: asWh(one.exportWh + out), importWh: asWh(one.importWh + inward) })),
});
/** The words of the last refusal. */
let detail = '';

/** Sends oracle 0's request for window 1 to oracle 1, bent where a test wants it; returns the code of the answer. */
async function asked(bent: Partial<Bent> = {}, of = three): Promise<string> {
  const { fixture, clock } = of;
  const { page: read } = await fixture.node.readPage(ZONE, 0);
  if (!read) throw new Error('no page');
  const leader = of.node(0);
  const taken = bent.meters ?? fixture.meters.map((_, i) => i);
  const honest = taken.flatMap((i): AttestEntry[] => {
    const meter = fixture.meters[i];
    const statement = meter && statementAt(leader.statements, meter.meterId, asWindow(W(1)));
    const before = read.slots[meter?.slot ?? -1];
    if (!meter || !statement || !before) return [];
    return [entryOf(meter as SlottedMeter, before, statement)];
  });
  const items = bent.entries?.(honest) ?? honest;
  const signers = bent.signers ?? attestors.slice(0, 2);
  const built = buildAttestPage({ zone: ZONE, page: 0, read, window: W(1), items, attestors: signers });
  const attest = bent.attest?.(built) ?? built;
  const plain = [ComputeBudgetProgram.setComputeUnitLimit({ units: 50_000 }), attest];
  const message = new TransactionMessage({
    payerKey: bent.payer ?? (attestors[0] as PublicKey),
    recentBlockhash: bent.blockhash ?? fixture.lite.latestBlockhash().blockhash,
    instructions: bent.around?.(plain) ?? plain,
  })
    .compileToV0Message()
    .serialize();
  const request = {
    networkId: fixture.networkId,
    timeMs: clock.nowMs(),
    to: IDENTITIES[1]?.publicKey as Uint8Array,
    transaction: bent.bytes?.(message) ?? message,
    statements: honest.map(
      ({ meterId }) => statementAt(leader.statements, meterId, asWindow(W(1)))?.message as Uint8Array,
    ),
    ...bent.request,
  };
  const signer = bent.as === null ? ed25519Signer(new Uint8Array(32).fill(99)) : IDENTITIES[bent.as ?? 0];
  const { status, body } = await of.node(1).together.answer(signCosignRequest(request, signer as never));
  const { signature, refused, ...rest } = body as { signature?: string; refused?: string; detail?: string };
  detail = rest.detail ?? '';
  const expected = { stranger: 403, malformed: 400, unavailable: 503 }[refused ?? ''] ?? 409;
  expect(status).toBe(signature === undefined ? expected : 200);
  if (!signature) return refused ?? '';
  const isGood = verifier.verify(base58Decode(signature), message, publicKeyFromBase58(attestors[1]?.toBase58() ?? ''));
  return isGood ? 'signed' : 'a bad signature';
}

const mapData = (change: (data: Buffer) => void) => (instruction: TransactionInstruction) => {
  const data = Buffer.from(instruction.data);
  change(data);
  instruction.data = data;
  return instruction;
};

describe('a co-signer', () => {
  beforeEach(async () => {
    three = new Three(await rigOfThree(3, 4_000n));
    three.window(1, (i) => BigInt(100 + i));
  });
  afterEach(() => three.close());

  it('control: signs what it would have written itself, and again for another transaction with the same content', async () => {
    expect(await asked()).toBe('signed');
    expect(await asked({ around: ([, attest]) => [limit(60_000), attest as TransactionInstruction] })).toBe('signed');
  });

  const limit = (units: number) => ComputeBudgetProgram.setComputeUnitLimit({ units });
  const transfer = SystemProgram.transfer({
    fromPubkey: attestors[1] as PublicKey,
    toPubkey: stranger,
    lamports: 1_000,
  });
  const here = `page ${ZONE}/0, window ${W(1)}: not what is written here`;
  const cases: [string, string, Partial<Bent>][] = [
    ['a key that is no peer', 'stranger: bad signature: not signed for gtx/cosign/1 by the expected key', { as: null }],
    ['a request to another oracle', 'stranger: meant for another oracle', { request: { to: new Uint8Array(32) } }],
    ['a request for another network', 'stranger: of another network', { request: { networkId: new Uint8Array(8) } }],
    ['a request of long ago', `stale: dated ${1_800_000_000_000 - 1} ms before this clock`, { request: { timeMs: 1 } }],
    [
      'bytes that are no message',
      'transaction: no v0 message: Reached end of buffer unexpectedly',
      { bytes: (message) => message.slice(0, 50) },
    ],
    ['a byte too many', `transaction: ${here}`, { bytes: (message) => Uint8Array.of(...message, 0) }],
    ['a transfer beside it', 'transaction: not two instructions', { around: (list) => [...list, transfer] }],
    [
      'a transfer instead',
      'transaction: the second instruction is no attest_page',
      { around: ([first]) => [first as TransactionInstruction, transfer] },
    ],
    [
      'a price for compute units',
      'transaction: the first instruction is no compute-unit limit',
      { around: ([, attest]) => [ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 9 }), attest as never] },
    ],
    [
      'no compute-unit limit',
      'transaction: the first instruction is no compute-unit limit',
      { around: ([, attest]) => [attest as never, attest as never] },
    ],
    [
      'that it pays itself',
      'transaction: not paid and signed by the oracle that asks',
      { payer: attestors[1] as PublicKey },
    ],
    ['one signature where two are needed', 'attestors: 1 of 2', { signers: [attestors[1] as PublicKey] }],
    [
      'one that is no attestor of the zone',
      "attestors: not distinct attestors of the zone's set",
      { signers: [...attestors.slice(0, 2), stranger] },
    ],
    [
      'an attestor that is named twice',
      "attestors: not distinct attestors of the zone's set",
      { signers: [attestors[0], attestors[1], attestors[1]] as PublicKey[] },
    ],
    [
      'that the one that asks pays and signs nothing',
      'transaction: not paid and signed by the oracle that asks',
      { signers: attestors.slice(1) },
    ],
    [
      'the others without it',
      'attestors: not ours',
      { signers: [attestors[0] as PublicKey, attestors[2] as PublicKey] },
    ],
    [
      'other accounts',
      `transaction: ${here}`,
      {
        attest: (instruction) => {
          const [page, , ...rest] = instruction.keys;
          instruction.keys = [page as never, { pubkey: stranger, isSigner: false, isWritable: false }, ...rest];
          return instruction;
        },
      },
    ],
    [
      'another page',
      `unknown page: ${stranger.toBase58()}`,
      {
        attest: (instruction) => {
          instruction.keys[0] = { pubkey: stranger, isSigner: false, isWritable: true };
          return instruction;
        },
      },
    ],
    [
      'another version',
      'page differs: built on version 7, moves 3; version 0, moves 3 here',
      { attest: mapData((data) => data.writeBigUInt64LE(7n, 8)) },
    ],
    [
      'other moves',
      'page differs: built on version 0, moves 77; version 0, moves 3 here',
      { attest: mapData((data) => data.writeUInt32LE(77, 16)) },
    ],
    [
      'a window without statements',
      `no statement: slot 0, window ${W(2)}: no statement that may be attested`,
      { attest: mapData((data) => data.writeUInt32LE(W(2), 20)) },
    ],
    [
      'a slot without a meter',
      `no statement: slot 255, window ${W(1)}: no statement that may be attested`,
      { attest: mapData((data) => data.writeUInt8((data[87] ?? 0) | 0x80, 87)) },
    ],
    ['a home passed over', `left out: 1 statements for window ${W(1)} are passed over`, { meters: [0, 2] }],
    ['another root', `root: ${here}`, { attest: mapData((data) => data.writeUInt8((data[24] ?? 0) ^ 1, 24)) }],
    ['a watt-hour more', `totals: ${here}`, shifted(1n, 0n)],
    ['a watt-hour less', `totals: ${here}`, shifted(0n, -1n)],
    ['an unknown blockhash', `blockhash: ${'1'.repeat(32)} is unfamiliar here`, { blockhash: '1'.repeat(32) }],
  ];
  it.each(cases)('refuses %s', async (_what, words, bent) => {
    expect(`${await asked(bent)}: ${detail}`).toBe(words);
    // And is not kept from signing the right thing by it.
    expect(await asked()).toBe('signed');
  });

  it('names who proposed what is false, and nobody for what it only lacks', async () => {
    await asked({ meters: [0, 2] });
    await asked({ attest: mapData((data) => data.writeBigUInt64LE(7n, 8)) });
    expect(three.node(1).stateOf(0)).toBe('not asked yet');
    await asked(shifted(1n, 0n));
    expect(three.node(1).stateOf(0)).toBe(`not asked for now; FALSE: proposed what is refused here: totals: ${here}`);
  });

  it('looks at a request of up to a minute before or after its own clock', async () => {
    const at = (ms: number) => asked({ request: { timeMs: three.clock.nowMs() + ms } });
    const answers = [await at(60_000), await at(-60_000), await at(60_001), await at(-60_001)];
    expect(answers).toEqual(['signed', 'signed', 'stale', 'stale']);
  });

  it('says that it cannot tell where its node is away, and no more of another fault', async () => {
    const { node } = three.fixture;
    const readPage = node.readPage.bind(node);
    const state = vi.spyOn(node, 'blockhashState').mockRejectedValueOnce(new NodeUnavailable('away'));
    expect(`${await asked()}: ${detail}`).toBe('unavailable: away');
    state.mockRejectedValueOnce(new Error('a secret'));
    expect(`${await asked()}: ${detail}`).toBe('unavailable: see the log');
    const absent = { chainSlot: 1, page: null, ledger: null };
    const read = vi.spyOn(node, 'readPage').mockImplementationOnce(readPage).mockResolvedValueOnce(absent);
    expect(`${await asked()}: ${detail}`).toBe('page differs: the page does not exist here');
    for (const spy of [state, read]) spy.mockRestore();
  });

  it('refuses what the lines of the zone cannot carry, though every meter signed it', async () => {
    const small = new Three(await rigOfThree(3, 900n));
    // Three homes take 100 Wh each in a quarter of an hour: 1.2 kW, where 900 W and a tenth are. Import has no part of the capacity.
    for (const i of [0, 1, 2]) {
      const statement = statementOf(small.fixture, i, 1, 0n, 100n);
      for (const node of small.nodes) node.hear(statement);
    }
    expect(await asked({}, small)).toBe('implausible');
    expect(detail).toBe("the zone's net energy of 300 Wh a window is above 250 Wh, its capacity of 900 W");
    expect(small.node(1).stateOf(0)).toBe(`proposed what is refused here: implausible: ${detail}`);
    small.close();
  });

  it('does not sign a second content for a page version, not after a restart either, until the first has lapsed', async () => {
    expect(await asked()).toBe('signed');
    // Since then the ledgers know a statement more, which would make another attest_page.
    const late = three.fixture.meters[2];
    const forget = 'DELETE FROM messages WHERE stream = (SELECT id FROM streams WHERE meter = ?)';
    for (const { database } of three.nodes.slice(0, 2)) {
      database.sqlite.prepare('DELETE FROM outbox').run();
      database.sqlite.prepare(forget).run(late?.meterId ?? '');
    }
    expect(await asked({ meters: [0, 1] })).toBe('held');
    expect(detail).toBe('another attest_page for version 0 may still land');
    three.node(1).start();
    expect(await asked({ meters: [0, 1] })).toBe('held');
    three.lite.expire();
    expect(await asked({ meters: [0, 1] })).toBe('signed');
  });

  it('a message of the request is judged like any that arrives: forged ones are not kept', async () => {
    const empty = new Three(three.fixture);
    const honest = statementOf(three.fixture, 0, 1, 100n);
    const forged = honest.message.slice();
    forged[150] = (forged[150] ?? 0) ^ 1;
    empty.node(0).hear(honest);
    expect(await asked({ meters: [0], request: { statements: [forged] } }, empty)).toBe('no statement');
    expect(await asked({ meters: [0] }, empty)).toBe('signed');
    for (const node of empty.nodes) node.close();
  });
});
