import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Config, type Meter, type MeterPage, type MeterSlot, NO_SLOT, SlotFlag } from '@gridtokenx/chain-client';
import {
  asWh,
  decodePayload,
  encodePayload,
  encodeSign1,
  fromHex,
  parseSign1,
  type Statement,
  sigStructure,
  type ToEncode,
  toHex,
} from '@gridtokenx/protocol';
import { judge, type Seen } from '@gridtokenx/submit/judge';
import { submitStatements } from '@gridtokenx/submit/main';
import type { StatementIn } from '@gridtokenx/submit/statement-file';
import { attestor, BASELINE, meterSigner } from '@gridtokenx/testing-kit/oracle/deployment';
import { type ChainFixture, figures, surfpoolFixture } from '@gridtokenx/testing-kit/oracle/fixtures';
import { W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { PublicKey } from '@solana/web3.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const NETWORK = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

function signed(
  meterId: string,
  networkId: Uint8Array,
  changes: Partial<ToEncode<Statement>> = {},
  by = meterSigner(0),
): Uint8Array {
  const payload = encodePayload({
    kind: 2,
    networkId,
    meterId: fromHex(meterId),
    seq: 16n,
    window: W(1),
    exportWh: BASELINE.exportWh + 100n,
    importWh: BASELINE.importWh + 200n,
    readingCount: 15,
    quality: 64,
    timeUncertaintyMs: 1,
    readingsRoot: new Uint8Array(32),
    ...changes,
  });
  return encodeSign1(payload, by.sign(sigStructure(payload)));
}

describe('what the chain would refuse is said before it is sent', () => {
  const meterId = '00112233445566778899aabbccddeeff';
  const slot: MeterSlot = {
    ...{ exportWh: asWh(50n), importWh: asWh(50n), window: W(0), exportCapWh: 1_000, importCapWh: 1_000 },
    ...{ flags: SlotFlag.active, attestors: 1, epoch: 1 },
  };
  const meter = {
    ...{ deviceKey: new PublicKey(meterSigner(0).publicKey), slot: 0, page: 0, zone: 1, status: 1 },
    ...{ firstValidWindow: W(0), signerLevel: 'gateway', carriedExportWh: asWh(0n), carriedImportWh: asWh(0n) },
    ...{ baselineExportWh: asWh(BASELINE.exportWh), baselineImportWh: asWh(BASELINE.importWh) },
  } as unknown as Meter;
  const given = (changes: Partial<ToEncode<Statement>> = {}, by = meterSigner(0), network = NETWORK): StatementIn => {
    const message = signed(meterId, network, changes, by);
    return { file: 'f', message, statement: decodePayload(parseSign1(message).payload) as Statement, meterId };
  };
  const seen = (change: { meter?: Partial<Meter>; slot?: Partial<MeterSlot>; nowMs?: number } = {}): Seen => ({
    config: { networkId: NETWORK } as Config,
    meter: { ...meter, ...change.meter },
    page: { slots: [{ ...slot, ...change.slot }] } as unknown as MeterPage,
    nowMs: change.nowMs ?? (W(0) + 96) * 900_000,
  });
  const refusal = (one: StatementIn, at: Seen) => {
    const judged = judge(one, at);
    return 'refused' in judged ? judged.refused : 'done' in judged ? judged.done : 'sent';
  };

  it('the control: a good one is sent, gateway-signed 96 windows behind, device-signed at once', () => {
    expect(refusal(given(), seen())).toBe('sent');
    const soon = { nowMs: (W(1) + 1) * 900_000 };
    expect(refusal(given(), seen({ ...soon, meter: { signerLevel: 'device' } }))).toBe('sent');
    const early = refusal(given(), seen({ nowMs: (W(0) + 96) * 900_000 - 1 }));
    const from = new Date((W(0) + 96) * 900_000).toISOString().slice(0, 19);
    expect(early).toBe(
      `a gateway-signed statement is taken when the slot is 96 windows behind: send it again from ${from}Z on`,
    );
  });

  it.each<[string, StatementIn, Seen]>([
    ['no registry', given(), { ...seen(), config: null }],
    ['another network', given({}, meterSigner(0), new Uint8Array(8)), seen()],
    ['does not know its meter', given(), { ...seen(), meter: null }],
    ['not signed by the key that is in force', given({}, meterSigner(1)), seen()],
    ['its quality is stale', given({ quality: 65 }), seen()],
    ['no slot', given(), seen({ meter: { slot: NO_SLOT } })],
    ['does not exist yet', given(), { ...seen(), page: null }],
    ['was closed', given(), seen({ slot: { flags: SlotFlag.closed } })],
    ['frozen by a dispute', given(), seen({ slot: { flags: SlotFlag.active | SlotFlag.disputed } })],
    ['not active', given(), seen({ slot: { flags: SlotFlag.suspended } })],
    ['not active', given(), seen({ meter: { status: 2 } })],
    [`from window ${W(5)} on`, given(), seen({ meter: { firstValidWindow: W(5) } })],
    [`a newer one, of window ${W(2)}`, given(), seen({ slot: { window: W(2) } })],
    ['is not over by the chain', given({ window: W(97) }), seen()],
    ['below its baseline', given({ exportWh: 1n }), seen()],
    ['below the slot', given(), seen({ slot: { exportWh: asWh(101n) } })],
    ['has it already', given(), seen({ slot: { window: W(1), exportWh: asWh(100n), importWh: asWh(200n) } })],
  ])('%s', (words, one, at) => expect(refusal(one, at)).toContain(words));
});

describe('the command on a real node', () => {
  let fixture: ChainFixture;
  let folder: string;
  const said: string[] = [];
  const run = (...argv: string[]) => {
    said.length = 0;
    return submitStatements(
      argv,
      (text) => said.push(text),
      (text) => said.push(text),
    );
  };
  const write = (name: string, value: unknown) => {
    const path = join(folder, name);
    writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
    return path;
  };
  beforeAll(async () => {
    fixture = await surfpoolFixture(1);
    folder = mkdtempSync(join(tmpdir(), 'submit-'));
  }, 60_000);
  afterAll(() => {
    fixture.close();
    rmSync(folder, { recursive: true });
  });

  it('brings statements to the chain, oldest first, and says so; a second time nothing moves', async () => {
    const payer = write('payer.json', [...attestor.secretKey]);
    const meterId = fixture.meters[0]?.meterId ?? '';
    const file = (name: string, changes: Partial<ToEncode<Statement>> = {}) =>
      write(name, { version: 1, message: toHex(signed(meterId, fixture.networkId, changes)) });
    const one = file('one.json');
    const two = file('two.json', {
      window: W(2),
      exportWh: BASELINE.exportWh + 150n,
      importWh: BASELINE.importWh + 250n,
    });
    const call = ['--rpc', fixture.rpcUrl ?? '', '--payer', payer];
    expect(await run(...call, two, one)).toBe(0);
    expect(said.map((line) => /window \d+/.exec(line)?.[0])).toEqual([`window ${W(1)}`, `window ${W(2)}`]);
    expect((await figures(fixture)).slots).toMatchObject([{ exportWh: 150n, importWh: 250n, window: W(2) }]);
    expect(await run(...call, two)).toBe(0);
    expect(said[0]).toContain('the chain has it already');
    // The chain judges a rise above the cap.
    const tooMuch = file('much.json', {
      window: W(3),
      exportWh: BASELINE.exportWh + 1_000_000n,
      importWh: BASELINE.importWh + 250n,
    });
    const bad = file('old.json', { window: W(1), exportWh: BASELINE.exportWh + 1n });
    expect(await run(...call, bad, tooMuch)).toBe(2);
    expect(said.length).toBe(2);
    expect(said[0]).toContain(`old.json: the chain has a newer one, of window ${W(2)}`);
    expect(said[1]).toMatch(/much\.json: the rise is above what the limits .*\(ExcessiveAmount\)$/);
  }, 60_000);

  it('every bad input is one line, exit code 2, and no secret', async () => {
    const payer = write('payer.json', [...attestor.secretKey]);
    const stranger = write('poor.json', [...(await import('@solana/web3.js')).Keypair.generate().secretKey]);
    const meterId = fixture.meters[0]?.meterId ?? '';
    const good = write('good.json', { message: toHex(signed(meterId, fixture.networkId, { window: W(9) })) });
    const url = fixture.rpcUrl ?? '';
    const cases: [string, string[]][] = [
      ['no such file', ['--rpc', url, '--payer', join(folder, 'nobody.json'), good]],
      ['is no key pair', ['--rpc', url, '--payer', good, good]],
      ['is no statement', ['--rpc', url, '--payer', payer, payer]],
      ['is no statement', ['--rpc', url, '--payer', payer, write('half.json', '{"message":"d284')]],
      ['is longer than 65536 bytes', ['--rpc', url, '--payer', payer, write('large.json', 'x'.repeat(70_000))]],
      ['is no http URL', ['--rpc', 'ftp://x', '--payer', payer, good]],
      ['no node answers', ['--rpc', 'http://127.0.0.1:9', '--payer', payer, good]],
      ['has no SOL', ['--rpc', url, '--payer', stranger, good]],
      ['required option', ['--rpc', url, good]],
      ['missing required argument', ['--rpc', url, '--payer', payer]],
    ];
    for (const [words, argv] of cases) {
      expect(await run(...argv), words).toBe(2);
      expect(said, words).toEqual([expect.stringContaining(words)]);
      expect(said[0]?.includes('\n'), words).toBe(false);
      expect(said[0]).not.toContain(`${String(attestor.secretKey[0])},${String(attestor.secretKey[1])}`);
    }
  }, 60_000);
});
