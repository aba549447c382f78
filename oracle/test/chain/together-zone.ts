import {
  base58Encode,
  ed25519Signer,
  encodePayload,
  encodeSign1,
  fromHex,
  openCosignRequest,
  type Signer,
  sha256,
  sigStructure,
} from '@gridtokenx/protocol';
import { attestor, BASELINE, keyOf, meterSigner } from '@gridtokenx/testing-kit/oracle/deployment';
import { type ChainFixture, liteFixture } from '@gridtokenx/testing-kit/oracle/fixtures';
import { verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import { W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import type { Keypair } from '@solana/web3.js';
import type { CosignAnswer } from '../../src/domain/settlement/cosigning/ports.js';

export const ATTESTORS: readonly Keypair[] = [attestor, keyOf('attestor 1'), keyOf('attestor 2')];
export const IDENTITIES: readonly Signer[] = [0, 1, 2].map((i) => ed25519Signer(new Uint8Array(32).fill(60 + i)));
export type LiteFixture = Awaited<ReturnType<typeof liteFixture>>;

/** A chain with a zone of three attestors, two of which are needed. */
export function rigOfThree(meters: number, capacityW = 2_000_000n): Promise<LiteFixture> {
  const attestors = ATTESTORS.map(({ publicKey }) => publicKey);
  return liteFixture(meters, [], { attestors, threshold: 2, capacityW });
}

/** A signed window statement of test meter `i`; totals since enrolment, Wh. */
export function statementOf(
  fixture: Pick<ChainFixture, 'meters' | 'networkId'>,
  i: number,
  window: number,
  exportWh: bigint,
  importWh = exportWh,
) {
  const meter = fixture.meters[i];
  if (!meter) throw new Error(`no meter ${i}`);
  const payload = encodePayload({
    kind: 2,
    networkId: fixture.networkId,
    meterId: fromHex(meter.meterId),
    // Fifteen readings lie between two statements, and stay with the gateway.
    seq: BigInt(16 * window),
    window: W(window),
    exportWh: BASELINE.exportWh + exportWh,
    importWh: BASELINE.importWh + importWh,
    readingCount: 15,
    quality: 64,
    timeUncertaintyMs: 1,
    readingsRoot: sha256(new Uint8Array([i])),
  });
  return { meterId: meter.meterId, message: encodeSign1(payload, meterSigner(i).sign(sigStructure(payload))) };
}

/** Signs whatever it is shown. */
export function blindly(place: number): (body: Uint8Array) => CosignAnswer {
  const signer = ed25519Signer((ATTESTORS[place] as Keypair).secretKey.slice(0, 32));
  return (body) => ({ status: 200, body: { signature: base58Encode(signer.sign(transactionOf(body))) } });
}

/** The transaction in a request of any of the three. */
export function transactionOf(body: Uint8Array): Uint8Array {
  for (const { publicKey } of IDENTITIES) {
    try {
      return openCosignRequest(body, publicKey, verifier).transaction;
    } catch {}
  }
  throw new Error('no request of one of the three');
}
