import { buildAttestPage } from '@gridtokenx/chain-client';
import {
  asPublicKeyText,
  asWh,
  asWindow,
  base58Encode,
  ed25519Signer,
  openCosignRequest,
  toHex,
} from '@gridtokenx/protocol';
import { BASELINE, keyOf, ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import { verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import { TestStatements } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { meterOf } from '@gridtokenx/testing-kit/signed-journal';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { ComputeBudgetProgram, type Keypair, TransactionMessage } from '@solana/web3.js';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Peer } from '../../src/adapters/chain/cosign/peer.js';
import { PeerCosigners, PeerTracker } from '../../src/adapters/chain/cosign/peers.js';
import type { CosignGuard } from '../../src/domain/settlement/cosigning/guard.js';
import { InsufficientSignatures, ReplanRequired, type SlotRead } from '../../src/domain/settlement/ports.js';
import { ATTESTORS, IDENTITIES } from './together-zone.js';

const WINDOW = asWindow(11);
const networkId = new Uint8Array(8).fill(5);
const blockhash = keyOf('a blockhash').publicKey.toBase58();
const [own, second, third] = ATTESTORS as [Keypair, Keypair, Keypair];
const names = ATTESTORS.map(({ publicKey }) => asPublicKeyText(publicKey.toBytes()));
const peerAt = (place: number): Peer => ({
  oracle: asPublicKeyText(IDENTITIES[place]?.publicKey ?? new Uint8Array(32)),
  attestor: names[place] as Peer['attestor'],
  url: `http://oracle-${place}`,
});
const peers = [peerAt(1), peerAt(2)];

const before: SlotRead = {
  ...{ exportWh: asWh(0n), importWh: asWh(0n), window: asWindow(10), exportCapWh: 500, importCapWh: 500 },
  ...{ flags: 1, attestors: 1, epoch: 0 },
};
const read = {
  ...{ version: 7n, moves: 0, highestWindow: asWindow(10), lastRoot: new Uint8Array(32), history: new Uint8Array(32) },
  ...{ page: 0, zone: ZONE, bump: 0, format: 1, slots: [before] },
};
const meter = {
  ...{ ...meterOf(1), slot: 0, page: 0, zone: ZONE },
  ...{ importBaselineWh: BASELINE.importWh, exportBaselineWh: BASELINE.exportWh },
};

let clock: VirtualClock;
let log: object[];
let statements: TestStatements;
let tracker: PeerTracker;
/** By place: what a peer answers. */
let answers: Map<number, (body: Uint8Array) => unknown>;
/** Lists the commitments before our own signature. */
let commits: object[];
let mayCommit: boolean;
let exchanged: string[][];
let onExchange: () => void;
let threshold: number;
let cosigner: PeerCosigners;

beforeEach(() => {
  clock = new VirtualClock({ startAtMs: 1_800_000_000_000 });
  [log, commits, exchanged] = [[], [], []];
  [mayCommit, threshold, onExchange] = [true, 2, () => {}];
  answers = new Map();
  statements = new TestStatements();
  statements.put(meter, WINDOW, 10n, 20n);
  const note = (fields: object) => void log.push(fields);
  tracker = new PeerTracker(peers, clock, { debug: note, info: note, warn: note, error: note });
  const guard: Pick<CosignGuard, 'commit'> = {
    commit: async (wanted) => {
      commits.push(wanted);
      return mayCommit;
    },
  };
  const exchange = (from: Uint8Array, messages: readonly Uint8Array[]) => {
    exchanged.push([asPublicKeyText(from), ...messages.map(toHex)]);
    onExchange();
  };
  cosigner = new PeerCosigners({
    ...{ networkId, attestor: own, peers: tracker, statements, guard: guard as CosignGuard, clock },
    cosign: { peers, threshold: 2, signer: IDENTITIES[0] as never, verifier, exchange },
    identity: asPublicKeyText(IDENTITIES[0]?.publicKey ?? new Uint8Array(32)),
    ask: async (peer, body) => {
      const answer = answers.get(peers.indexOf(peer) + 1);
      if (!answer) throw new Error('away');
      return { status: 200, body: answer(body) };
    },
    zoneSet: async () => ({ attestors: ATTESTORS.map(({ publicKey }) => publicKey), threshold, capacityW: 1n }),
    latestBlockhash: async () => ({ blockhash, lastValidBlockHeight: 77 }),
  });
});

function request(signers: readonly Keypair[] = [own, second]) {
  const [statement] = statements.attestable(meter.meterId, 10, 1_000);
  if (!statement) throw new Error('no statement');
  const { meterId } = meter;
  const items = [{ meterId, slot: 0, exportWh: asWh(10n), importWh: asWh(20n), before, payload: statement.payload }];
  const attestors = signers.map(({ publicKey }) => publicKey);
  const attest = buildAttestPage({ zone: ZONE, page: 0, read, window: WINDOW, items, attestors });
  const message = new TransactionMessage({
    payerKey: own.publicKey,
    recentBlockhash: blockhash,
    instructions: [ComputeBudgetProgram.setComputeUnitLimit({ units: 9 }), attest],
  })
    .compileToV0Message()
    .serialize();
  return { message, zone: ZONE, page: 0, version: 7n, window: WINDOW, entries: items };
}
const signature = (of: Keypair, message: Uint8Array) =>
  base58Encode(ed25519Signer(of.secretKey.slice(0, 32)).sign(message));
const signs = (place: number, of: Keypair) =>
  answers.set(place, () => ({ signature: signature(of, request([own, second, third]).message) }));
const shown = (place: number) => tracker.view()[place - 1];
/** The error of a request that was not signed. */
const refused = (signers?: readonly Keypair[]) =>
  cosigner.sign(request(signers)).then(
    () => new Error('signed'),
    (error: unknown) => error as Error,
  );

describe('a leader', () => {
  it('shows its request and its statement to the chosen peer alone, and stores what it signs at last', async () => {
    const asked: ReturnType<typeof openCosignRequest>[] = [];
    const { message } = request();
    answers.set(1, (body) => {
      expect(commits).toEqual([]);
      asked.push(openCosignRequest(body, IDENTITIES[0]?.publicKey ?? new Uint8Array(32), verifier));
      return { signature: signature(second, message) };
    });
    const signed = await cosigner.sign(request());
    expect([...signed].map(([key, bytes]) => [key, base58Encode(bytes)])).toEqual([
      [names[1], signature(second, message)],
    ]);
    const statement = statements.newest(meter.meterId)?.message;
    expect(asked).toEqual([
      { networkId, timeMs: clock.nowMs(), to: IDENTITIES[1]?.publicKey, transaction: message, statements: [statement] },
    ]);
    const identity = asPublicKeyText(IDENTITIES[0]?.publicKey ?? new Uint8Array(32));
    expect(commits).toMatchObject([
      { zone: ZONE, page: 0, version: 7n, blockhash, lastValidHeight: 77, leader: identity },
    ]);
    expect(tracker.view().map(({ state, isWell }) => [state, isWell])).toEqual([
      ['signs', true],
      ['not asked yet', true],
    ]);
  });

  it('does not sign where something else for the page version may still land', async () => {
    answers.set(1, () => ({ signature: signature(second, request().message) }));
    mayCommit = false;
    const error = await refused();
    expect(error).toBeInstanceOf(InsufficientSignatures);
    expect(error.message).toBe(`another attest_page for page ${ZONE}/0, version 7, may still land`);
  });

  const other = () => request([own, third]).message;
  it.each([
    ['of another attestor', () => signature(third, request().message)],
    ['of ours', () => signature(own, request().message)],
    ['over other bytes', () => signature(second, other())],
    ['of zeros', () => '1'.repeat(64)],
    ['of 63 bytes', () => '1'.repeat(63)],
    ['that cannot be read', () => '0'],
    ['that is empty', () => ''],
  ])('takes no signature %s, and accuses whoever sent it', async (_, sent) => {
    answers.set(1, () => ({ signature: sent() }));
    const error = await refused();
    expect(error).toBeInstanceOf(InsufficientSignatures);
    expect(error.message).toBe('0 of 1 co-signers signed');
    expect(commits).toEqual([]);
    const what = 'a signature that is not its own over what it was asked to sign';
    expect(shown(1)).toEqual({
      ...{ oracle: peers[0]?.oracle, attestor: names[1], isWell: false, accusation: what },
      state: `not asked for now; FALSE: ${what}`,
    });
    await refused();
    expect(log).toEqual([{ event: 'peer_accused', oracle: peers[0]?.oracle, what }]);
  });

  it('needs the signature of each, and keeps an accusation after a good one', async () => {
    const all = [own, second, third];
    answers.set(1, () => ({ signature: signature(third, request(all).message) }));
    signs(2, third);
    expect((await refused(all)).message).toBe('1 of 2 co-signers signed');
    signs(1, second);
    expect([...(await cosigner.sign(request(all))).keys()].sort()).toEqual([names[1], names[2]].sort());
    expect(shown(1)?.state).toMatch(/^signs; FALSE: a signature/);
    expect([shown(1)?.isWell, shown(2)?.isWell]).toEqual([false, true]);
  });

  it.each([
    [null, 'without a reason: '],
    ['text', 'without a reason: '],
    [{ signature: 5, refused: 6, detail: 7 }, 'without a reason: '],
    [{ refused: '', detail: 'why' }, 'without a reason: why'],
    [{ refused: 'held', detail: 'x'.repeat(400) }, `held: ${'x'.repeat(300)}`],
    [{ refused: 'left out', detail: 'none', statements: [] }, 'left out: none'],
    [{ refused: 'left out', detail: 'bad', statements: ['zz', 5, 'a'.repeat(341)] }, 'left out: bad'],
    [{ refused: 'held', detail: 'x', statements: ['00'.repeat(171)] }, 'held: x'],
  ])('names a refusal %j and takes nothing from it', async (body, words) => {
    answers.set(1, () => body);
    expect((await refused()).message).toBe('0 of 1 co-signers signed');
    expect(shown(1)).toMatchObject({ state: `refuses: ${words}`, isWell: false, accusation: null });
    expect(exchanged).toEqual([]);
    await refused();
    expect(log).toEqual([{ event: 'peer_not_signing', oracle: peers[0]?.oracle, state: `refuses: ${words}` }]);
  });

  it('stores statements that it lacks, at most a page of them, and plans anew', async () => {
    const message = 'ab'.repeat(171);
    answers.set(1, () => ({ refused: 'left out', detail: 'x', statements: Array(257).fill(message) }));
    onExchange = () => statements.put(meter, 12, 30n, 40n);
    const error = await refused();
    expect(error).toBeInstanceOf(ReplanRequired);
    expect(error.message).toBe('statements came from another oracle');
    expect(exchanged).toEqual([[peers[0]?.oracle, ...Array(256).fill(message)]]);
    expect(shown(1)?.state).toBe('not asked yet');
    // Nothing new: then it is a refusal.
    onExchange = () => {};
    expect(await refused()).toBeInstanceOf(InsufficientSignatures);
    expect(shown(1)?.state).toBe('refuses: left out: x');
  });

  it('plans anew where its own statement holds no longer', async () => {
    answers.set(1, () => ({ refused: 'left out', detail: 'x', statements: ['ab'.repeat(171)] }));
    const asked = request();
    statements.attestable = () => [];
    await expect(cosigner.sign(asked)).rejects.toBeInstanceOf(ReplanRequired);
  });
});

describe('who is asked', () => {
  const chosen = async (zone = ZONE) => {
    const { others, bitmap } = await cosigner.attestors(zone);
    return [others.map((key) => names.indexOf(asPublicKeyText(key.toBytes()))), bitmap];
  };

  it('are as many as the zone wants, from the place after ours on', async () => {
    expect(await chosen()).toEqual([[1], 0b011]);
    threshold = 3;
    expect(await chosen()).toEqual([[1, 2], 0b111]);
    // The operator's own number holds where the zone wants less.
    threshold = 1;
    expect(await chosen()).toEqual([[1], 0b011]);
  });

  it('is not one that was silent within ten seconds, refused within two, or was accused within ten', async () => {
    const [peer] = peers as [Peer];
    for (const [forMs, happens] of [
      [10_000, () => refused()],
      [2_000, () => tracker.problem(peer, 'refuses')],
      [10_000, () => tracker.accuse(peer, 'lies')],
    ] as const) {
      await happens();
      clock.advanceNow(forMs - 1);
      expect(await chosen()).toEqual([[2], 0b101]);
      clock.advanceNow(1);
      expect(await chosen()).toEqual([[1], 0b011]);
    }
    expect(log[0]).toEqual({ event: 'peer_not_signing', oracle: peer.oracle, state: 'silent: away' });
    tracker.problem(peer, 'refuses');
    tracker.signs(peer);
    expect(await chosen()).toEqual([[1], 0b011]);
  });

  it('cannot be too few, and the message says how each stands', async () => {
    for (const peer of peers) tracker.problem(peer, 'refuses');
    const states = peers.map(({ oracle }) => `${oracle.slice(0, 8)} refuses`).join('; ');
    const error = new InsufficientSignatures(`0 of 1 co-signers can be asked (${states})`);
    await expect(chosen()).rejects.toThrow(error);
  });
});
