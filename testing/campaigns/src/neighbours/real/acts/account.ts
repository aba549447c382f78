import { instructions, pda, TOKEN_2022_ID } from '@gridtokenx/chain-client';
import { fromHex } from '@gridtokenx/protocol';
import { Connection, Keypair, PublicKey, Transaction, TransactionInstruction } from '@solana/web3.js';
import { WINDOW_MS } from '../cast.js';
import type { Turncoat } from '../turncoat.js';

const PAUSE_MS = 250;
const ZONE = 1;
/** Offset of the amount in an account of Token-2022. */
const AMOUNT_AT = 64;

/** The owner's means to misuse the home's token account. */
export interface Owner {
  readonly rpc: string;
  /** 64 bytes. */
  readonly secret: readonly number[];
  readonly meterId: string;
  readonly page: number;
}

/**
 * The owner closes its token account after each mint and creates it again, while the home states slightly more each
 * window.
 */
export async function account(home: Turncoat, { rpc, secret, meterId, page }: Owner): Promise<{ closed: number }> {
  const connection = new Connection(rpc, 'confirmed');
  const owner = Keypair.fromSecretKey(Uint8Array.from(secret));
  const wallet = pda.ownerTokenAccount(owner.publicKey);
  const meta = (pubkey: PublicKey, isWritable: boolean, isSigner = false) => ({ pubkey, isWritable, isSigner });
  const send = async (list: TransactionInstruction[]): Promise<boolean> => {
    try {
      const { blockhash, lastValidBlockHeight } = await connection.getLatestBlockhash('confirmed');
      const transaction = new Transaction({ feePayer: owner.publicKey, blockhash, lastValidBlockHeight });
      transaction.add(...list).sign(owner);
      await connection.sendRawTransaction(transaction.serialize());
      return true;
    } catch {
      return false;
    }
  };
  const create = instructions.createOwnerTokenAccount({ payer: owner.publicKey, owner: owner.publicKey });
  const toWallet = {
    owner: owner.publicKey,
    meterId: fromHex(meterId),
    zone: ZONE,
    page,
    destination: 'wallet',
  } as const;
  await send([create, instructions.setDestination(toWallet)]);
  let closed = 0;
  while (!home.isOver) {
    const held = await connection.getAccountInfo(wallet).catch(() => null);
    const burn = Buffer.alloc(9);
    burn[0] = 8;
    if (held) burn.writeBigUInt64LE(Buffer.from(held.data).readBigUInt64LE(AMOUNT_AT), 1);
    const keys = [meta(wallet, true), meta(pda.mint(), true), meta(owner.publicKey, false, true)];
    const closing = [meta(wallet, true), meta(owner.publicKey, true), meta(owner.publicKey, false, true)];
    const isDone = held
      ? await send([
          new TransactionInstruction({ programId: new PublicKey(TOKEN_2022_ID), keys, data: burn }),
          new TransactionInstruction({ programId: new PublicKey(TOKEN_2022_ID), keys: closing, data: Buffer.of(9) }),
        ])
      : home.random.chance(0.3) && (await send([create]));
    if (isDone && held) closed++;
    if (home.window < Math.floor(home.now() / WINDOW_MS) - 1) {
      home.exportWh += 1n;
      await home.send('window', [home.statement()]);
    }
    await home.parts.clock.sleep(PAUSE_MS);
  }
  return { closed };
}
