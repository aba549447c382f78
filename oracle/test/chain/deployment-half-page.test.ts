import { decodeLedgerPage, decodeMeterPage, instructions, pda, SlotFlag } from '@gridtokenx/chain-client';
import { Deployment, ZONE } from '@gridtokenx/devnet/start/deployment';
import { base58Encode, encodePayload, encodeSign1, sha256, sigStructure, toHex } from '@gridtokenx/protocol';
import { Chain } from '@gridtokenx/testing-kit/chain/harness';
import { BASELINE, ENROLLED, keyOf, meterSigner, owner } from '@gridtokenx/testing-kit/oracle/deployment';
import { type Connection, type PublicKey, SystemProgram } from '@solana/web3.js';
import { expect, it } from 'vitest';

const genesis = sha256(new TextEncoder().encode('genesis'));

/** The chain in process behind the client of a node. */
function connectionOf(chain: Chain): Connection {
  return {
    getAccountInfo: async (key: PublicKey) => {
      const found = chain.account(key);
      return found ? { ...found, data: Buffer.from(found.data) } : null;
    },
    getGenesisHash: async () => base58Encode(genesis),
    getLatestBlockhash: async () => ({ blockhash: chain.svm.latestBlockhash(), lastValidBlockHeight: 1_000 }),
    sendRawTransaction: async (raw: Uint8Array) => {
      const result = chain.svm.sendLegacyTransaction(Uint8Array.from(raw));
      if ('err' in result) throw new Error(result.meta().logs().join('\n'));
      chain.svm.expireBlockhash();
      return 'signature';
    },
    getSignatureStatuses: async () => ({ value: [{ err: null, confirmationStatus: 'confirmed' }] }),
  } as unknown as Connection;
}

for (const found of ['nothing', 'lamports', 'half of it'] as const) {
  it(`a deployment makes the ledger page where it finds ${found}`, async () => {
    const chain = new Chain();
    chain.svm.airdrop(chain.upgradeAuthority.publicKey.toBytes(), 10n ** 12n);
    chain.time = 1_700_000_000;
    const parties = { utility: keyOf('utility'), installer: keyOf('installer'), attestor: keyOf('attestor') };
    const deployment = new Deployment(connectionOf(chain), { authority: chain.upgradeAuthority, ...parties });
    const payer = chain.payer.publicKey;
    const gift = (to: PublicKey) => SystemProgram.transfer({ fromPubkey: payer, toPubkey: to, lamports: 890_880 });
    if (found === 'lamports') chain.must([pda.budget(ZONE), pda.zone(ZONE), pda.meterPage(ZONE, 0)].map(gift));
    const networkId = await deployment.initialise();
    if (found === 'lamports') chain.must([gift(pda.ledgerPage(ZONE, 0))]);
    if (found === 'half of it') chain.must([instructions.createLedgerPage({ payer, zone: ZONE, page: 0 })]);

    const meterId = sha256(new TextEncoder().encode('meter 0')).slice(0, 16);
    const payload = encodePayload({
      ...{ kind: 4, networkId, meterId, seq: 1n, owner: owner.publicKey.toBytes(), ...BASELINE, zone: ZONE },
      ...{ source: 1, role: 0, deviceSigned: false, keyEpoch: 0, window: ENROLLED },
    });
    const message = toHex(encodeSign1(payload, meterSigner(0).sign(sigStructure(payload))));
    const meter = {
      name: 'home',
      meter_id: toHex(meterId),
      key: base58Encode(meterSigner(0).publicKey),
      message,
      zone: ZONE,
    };
    await deployment.enrol(meter, owner, { exportLimitW: 4_000, importLimitW: 8_000 });
    expect(chain.get(pda.ledgerPage(ZONE, 0), decodeLedgerPage).slots).toHaveLength(256);
    const [slot] = chain.get(pda.meterPage(ZONE, 0), decodeMeterPage).slots;
    expect((slot?.flags ?? 0) & SlotFlag.active).toBe(SlotFlag.active);
  });
}
