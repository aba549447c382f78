import {
  decodeConfig,
  decodeMeter,
  decodeMeterPage,
  decodeZone,
  instructions,
  pda,
  SlotFlag,
  Status,
  UserRole,
} from '@gridtokenx/chain-client';
import { base58Decode, fromHex, parseSign1, sha256 } from '@gridtokenx/protocol';
import { sleep } from '@gridtokenx/runtime/core';
import { systemClock } from '@gridtokenx/runtime/node';
import { type Connection, type Keypair, LAMPORTS_PER_SOL, PublicKey, SystemProgram } from '@solana/web3.js';
import { rpc } from '../chain/rpc.js';
import { sendAndConfirm } from './send.js';

/** The demonstration's zone. */
export const ZONE = 1;
const ZONE_CAPACITY_W = 2_000_000n;
const WALLET_SOL = 100;
const POLL_MS = 50;
const TIMEOUT_MS = 30_000;
/** float32 kWh below 16,384 kWh is exact to the watt-hour [gateway §7.2]. */
const REGISTER_STEP_WH = 1;

/** Size of a ledger page after its first creation step: an instruction grows an account by at most so many bytes. */
const HALF_LEDGER_PAGE_BYTES = 10_240;

function hasDiscriminator(data: Uint8Array): boolean {
  return data.subarray(0, 8).some((byte) => byte !== 0);
}

/** The parties that set a chain up. */
export interface Parties {
  readonly authority: Keypair;
  readonly utility: Keypair;
  readonly installer: Keypair;
  readonly attestor: Keypair;
}

/** Output of a gateway's `enrol` for one meter. */
export interface EnrolledMeter {
  readonly name: string;
  readonly meter_id: string;
  readonly key: string;
  /** The signed enrolment message, 171 bytes in hex. */
  readonly message: string;
  readonly zone: number;
}

/** Sets up a development chain. Every step first checks its own effect, so the whole can be repeated. */
export class Deployment {
  readonly #connection: Connection;
  readonly #parties: Parties;

  constructor(connection: Connection, parties: Parties) {
    this.#connection = connection;
    this.#parties = parties;
  }

  /** Returns an account that its program made; null while the address only holds lamports, or half of a ledger page. */
  async #account(address: PublicKey) {
    const found = await this.#raw(address);
    return found && !found.owner.equals(SystemProgram.programId) && hasDiscriminator(found.data) ? found : null;
  }
  #raw(address: PublicKey) {
    return this.#connection.getAccountInfo(address, 'confirmed');
  }
  #send(signers: Keypair[], list: Parameters<typeof sendAndConfirm>[3]): Promise<string> {
    return sendAndConfirm(this.#connection, this.#parties.authority, signers, list);
  }

  /** Funds every wallet that has no SOL with development SOL. */
  async fund(wallets: readonly PublicKey[]): Promise<void> {
    for (const wallet of wallets) {
      if ((await this.#connection.getBalance(wallet, 'confirmed')) > 0) continue;
      await rpc(this.#connection.rpcEndpoint, 'requestAirdrop', [wallet.toBase58(), WALLET_SOL * LAMPORTS_PER_SOL]);
    }
    for (const wallet of wallets)
      await this.#until(
        `SOL of ${wallet.toBase58()}`,
        async () => (await this.#connection.getBalance(wallet, 'confirmed')) > 0,
      );
  }

  async #until(what: string, condition: () => Promise<boolean>): Promise<void> {
    for (const started = systemClock.monotonicMs(); systemClock.monotonicMs() - started < TIMEOUT_MS; ) {
      if (await condition()) return;
      await sleep(systemClock, POLL_MS);
    }
    throw new Error(`the chain does not show ${what}`);
  }

  /** Creates Config, token, zone with its attestor. Returns network_id (8 bytes). */
  async initialise(): Promise<Uint8Array> {
    const { authority, utility, attestor } = this.#parties;
    if (!(await this.#account(pda.config()))) {
      const genesisHash = base58Decode(await this.#connection.getGenesisHash());
      const salt = crypto.getRandomValues(new Uint8Array(16));
      const initialize = instructions.initialize({
        upgradeAuthority: authority.publicKey,
        payer: authority.publicKey,
        authority: authority.publicKey,
        genesisHash,
        salt,
        development: true,
      });
      await this.#send([], [initialize]);
    }
    if (!(await this.#account(pda.mint()))) {
      await this.#send([], [instructions.initializeToken({ payer: authority.publicKey })]);
    }
    if (!(await this.#account(pda.zone(ZONE)))) {
      await this.#send(
        [],
        [
          instructions.createZone({
            authority: authority.publicKey,
            payer: authority.publicKey,
            zone: ZONE,
            utility: utility.publicKey,
            capacityW: ZONE_CAPACITY_W,
          }),
          instructions.announceAttestors({
            authority: authority.publicKey,
            zone: ZONE,
            threshold: 1,
            attestors: [attestor.publicKey],
          }),
        ],
      );
    }
    if (!(await this.#account(pda.budget(ZONE)))) {
      await this.#send([], [instructions.createBudget({ payer: authority.publicKey, zone: ZONE })]);
    }
    const config = await this.#account(pda.config());
    if (!config) throw new Error('the registry has no Config after initialize');
    return decodeConfig(config).networkId;
  }

  async #registerUser(wallet: PublicKey, role: UserRole): Promise<void> {
    if (await this.#account(pda.user(ZONE, wallet))) return;
    const { authority, utility } = this.#parties;
    const commitment = sha256(crypto.getRandomValues(new Uint8Array(32)), wallet.toBytes());
    await this.#send(
      [utility],
      [
        instructions.registerUser({
          authority: utility.publicKey,
          payer: authority.publicKey,
          zone: ZONE,
          wallet,
          commitment,
          role,
        }),
      ],
    );
  }

  /**
   * Registers the meter with the device's own proof, confirms it as the utility does, creates its page, activates its
   * slot.
   */
  async enrol(
    meter: EnrolledMeter,
    owner: Keypair,
    limits: { exportLimitW: number; importLimitW: number },
  ): Promise<void> {
    const { authority, installer } = this.#parties;
    const meterId = fromHex(meter.meter_id);
    const pointCommitment = sha256(new TextEncoder().encode('point'), meterId);
    await this.#registerUser(installer.publicKey, UserRole.installer);
    await this.#registerUser(owner.publicKey, UserRole.owner);
    if (!(await this.#account(pda.meter(ZONE, meterId)))) {
      await this.#send(
        [installer],
        [
          instructions.signedMessageVerification(base58Decode(meter.key), fromHex(meter.message)),
          instructions.registerMeter({
            authority: installer.publicKey,
            authorityIsUtility: false,
            payer: authority.publicKey,
            zone: ZONE,
            meterId,
            owner: owner.publicKey,
            pointCommitment,
          }),
        ],
      );
    }
    await this.#confirm(meter, pda.point(ZONE, pointCommitment), limits);
    await this.#activate(meterId);
  }

  async #confirm(
    meter: EnrolledMeter,
    point: PublicKey,
    limits: { exportLimitW: number; importLimitW: number },
  ): Promise<void> {
    const { utility } = this.#parties;
    const meterId = fromHex(meter.meter_id);
    const account = await this.#account(pda.meter(ZONE, meterId));
    const record = account && decodeMeter(account);
    if (record?.status !== Status.pending) return;
    const confirm = instructions.confirmMeter({
      utility: utility.publicKey,
      zone: ZONE,
      meterId,
      point,
      deviceKey: new PublicKey(base58Decode(meter.key)),
      enrolment: sha256(parseSign1(fromHex(meter.message)).payload).slice(0, 16),
      ...limits,
      registerStepWh: REGISTER_STEP_WH,
      tariffClass: 1,
      deviceSigned: false,
    });
    await this.#send([utility], [confirm]);
  }

  async #activate(meterId: Uint8Array): Promise<void> {
    const { authority } = this.#parties;
    const zone = await this.#account(pda.zone(ZONE));
    if (!zone) throw new Error(`zone ${ZONE} is not there`);
    for (let page = 0; page < Math.max(1, decodeZone(zone).pageCount); page++) {
      if (!(await this.#account(pda.meterPage(ZONE, page)))) {
        await this.#send([], [instructions.createPage({ payer: authority.publicKey, zone: ZONE, page })]);
      }
      await this.#createLedgerPage(page);
    }
    const { page, slot } = await this.slotOf(meterId);
    const read = await this.#account(pda.meterPage(ZONE, page));
    const found = read ? decodeMeterPage(read).slots[slot] : undefined;
    if (found && (found.flags & SlotFlag.active) !== 0) return;
    await this.#send([], [instructions.activateSlot({ meterId, zone: ZONE, page })]);
  }

  /** Creates a ledger page, in two steps; anyone may have taken the first step already. */
  async #createLedgerPage(page: number): Promise<void> {
    const address = pda.ledgerPage(ZONE, page);
    if (await this.#account(address)) return;
    const step = instructions.createLedgerPage({ payer: this.#parties.authority.publicKey, zone: ZONE, page });
    const isHalf = (await this.#raw(address))?.data.length === HALF_LEDGER_PAGE_BYTES;
    await this.#send([], isHalf ? [step] : [step, step]);
  }

  /** Returns page and slot of a registered meter. */
  async slotOf(meterId: Uint8Array): Promise<{ page: number; slot: number }> {
    const account = await this.#account(pda.meter(ZONE, meterId));
    if (!account) throw new Error('the meter is not registered');
    return decodeMeter(account);
  }

  /** Sends the owner's minted tokens to the own wallet instead of the pool. */
  async mintToWallet(meter: EnrolledMeter, owner: Keypair): Promise<void> {
    const meterId = fromHex(meter.meter_id);
    const { page } = await this.slotOf(meterId);
    await this.#send(
      [owner],
      [
        // The owner pays, because the account that closes receives the rent.
        instructions.createOwnerTokenAccount({ payer: owner.publicKey, owner: owner.publicKey }),
        instructions.setDestination({ owner: owner.publicKey, meterId, zone: ZONE, page, destination: 'wallet' }),
      ],
    );
  }
}
