import {
  type AttestItem,
  buildAttestPage,
  decodeConfig,
  decodeLedgerPage,
  decodeMeter,
  decodeMeterPage,
  instructions,
  pda,
  UserRole,
} from '@gridtokenx/chain-client';
import { type Enrolment, encodePayload, sha256, type ToEncode } from '@gridtokenx/protocol';
import { Keypair, type PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { Chain, computeLimit, type Outcome } from './harness.js';
import { attestItem, signed } from './messages.js';

export { signed, statement } from './messages.js';

const text = (value: string) => new TextEncoder().encode(value);

/** Returns a key pair that is the same in every run. */
export const keyOf = (name: string): Keypair => Keypair.fromSeed(sha256(text(`test/${name}`)));

/** W: room for more than 256 meters of 5 kW. */
export const ZONE_CAPACITY_W = 2_000_000n;

/** Unix seconds at which the worlds begin, in the middle of a window. */
export const START = 1_800_000_000 + 450;
export const windowAt = (seconds: number) => Math.floor(seconds / 900);

export interface WorldOptions {
  readonly development?: boolean;
  readonly attestors?: number;
  readonly threshold?: number;
  readonly zone?: number;
}

export interface MeterOptions {
  readonly owner?: Keypair;
  readonly exportLimitW?: number;
  readonly importLimitW?: number;
  readonly registerStepWh?: number;
  /** Changes the enrolment message before it is signed. */
  readonly message?: Partial<ToEncode<Enrolment>>;
  /** The enrolment that the utility inspected, when it differs from the message. */
  readonly enrolment?: Uint8Array;
  /** Leaves the record for the utility to confirm. */
  readonly pending?: boolean;
}

export interface TestMeter {
  readonly id: Uint8Array;
  readonly key: Keypair;
  readonly owner: Keypair;
  readonly commitment: Uint8Array;
}

/** A deployment with one zone, its utility, an installer, one owner and attestors. */
export class World {
  readonly chain: Chain;
  readonly zone: number;
  readonly authority = keyOf('authority');
  readonly utility = keyOf('utility');
  readonly installer = keyOf('installer');
  readonly owner = keyOf('owner');
  readonly attestors: readonly Keypair[];
  readonly threshold: number;
  readonly #development: boolean;

  constructor(options: WorldOptions = {}, chain = new Chain()) {
    this.chain = chain;
    this.zone = options.zone ?? 7;
    this.threshold = options.threshold ?? 2;
    this.#development = options.development ?? false;
    this.attestors = Array.from({ length: options.attestors ?? 3 }, (_, index) => keyOf(`attestor ${index}`));
  }

  get networkId(): Uint8Array {
    return this.chain.get(pda.config(), decodeConfig).networkId;
  }

  get payer(): PublicKey {
    return this.chain.payer.publicKey;
  }

  /** Returns the same world on another chain, for a trial that must leave no trace. */
  on(chain: Chain): World {
    return new World(
      { zone: this.zone, threshold: this.threshold, development: this.#development, attestors: this.attestors.length },
      chain,
    );
  }

  fork(): World {
    return this.on(this.chain.fork());
  }

  initialize(): TransactionInstruction {
    return instructions.initialize({
      upgradeAuthority: this.chain.upgradeAuthority.publicKey,
      payer: this.payer,
      authority: this.authority.publicKey,
      genesisHash: sha256(text('genesis')),
      salt: sha256(text('salt')).slice(0, 16),
      development: this.#development,
    });
  }

  createZone(zone = this.zone): TransactionInstruction {
    return instructions.createZone({
      authority: this.authority.publicKey,
      payer: this.payer,
      zone,
      utility: this.utility.publicKey,
      capacityW: ZONE_CAPACITY_W,
    });
  }

  announceAttestors(
    keys = this.attestors.map((key) => key.publicKey),
    threshold = this.threshold,
  ): TransactionInstruction {
    return instructions.announceAttestors({
      authority: this.authority.publicKey,
      zone: this.zone,
      threshold,
      attestors: keys,
    });
  }

  registerUser(wallet: PublicKey, role: UserRole): TransactionInstruction {
    return instructions.registerUser({
      authority: this.utility.publicKey,
      payer: this.payer,
      zone: this.zone,
      wallet,
      commitment: sha256(wallet.toBytes()),
      role,
    });
  }

  /** Creates registry, token, zone, attestors and users. */
  setUp(): this {
    const { chain } = this;
    chain.time = START;
    chain.must([this.initialize()], [chain.upgradeAuthority]);
    chain.must([this.createZone(), this.announceAttestors()], [this.authority]);
    chain.must([instructions.initializeToken({ payer: this.payer })]);
    chain.must([instructions.createBudget({ payer: this.payer, zone: this.zone })]);
    chain.must(
      [
        this.registerUser(this.installer.publicKey, UserRole.installer),
        this.registerUser(this.owner.publicKey, UserRole.owner),
      ],
      [this.utility],
    );
    return this;
  }

  meter(name: string, owner = this.owner): TestMeter {
    return {
      id: sha256(text(`meter/${name}`)).slice(0, 16),
      key: keyOf(`meter key ${name}`),
      owner,
      commitment: sha256(text(`point/${name}`)),
    };
  }

  enrolment(meter: TestMeter, change: Partial<ToEncode<Enrolment>> = {}): Uint8Array {
    return encodePayload({
      kind: 4,
      networkId: this.networkId,
      meterId: meter.id,
      seq: 1n,
      owner: meter.owner.publicKey.toBytes(),
      importWh: 1_000n,
      exportWh: 2_000n,
      zone: this.zone,
      source: 1,
      role: 0,
      deviceSigned: false,
      keyEpoch: 0,
      window: windowAt(this.chain.time),
      ...change,
    });
  }

  /** Keys that register a meter and confirm it. */
  get staff(): readonly Keypair[] {
    return [this.installer, this.utility];
  }

  /** Builds the utility's confirmation of a meter: of its record, unless the options name another enrolment. */
  confirm(meter: TestMeter, options: MeterOptions = {}): TransactionInstruction {
    const record = this.chain.account(pda.meter(this.zone, meter.id));
    const found = record ? decodeMeter(record).enrolment : new Uint8Array(16);
    return instructions.confirmMeter({
      utility: this.utility.publicKey,
      zone: this.zone,
      meterId: meter.id,
      point: pda.point(this.zone, meter.commitment),
      deviceKey: meter.key.publicKey,
      enrolment: options.enrolment ?? found,
      exportLimitW: options.exportLimitW ?? 5_000,
      importLimitW: options.importLimitW ?? 10_000,
      registerStepWh: options.registerStepWh ?? 1,
      tariffClass: 1,
      deviceSigned: options.message?.deviceSigned ?? false,
    });
  }

  /** Builds the Ed25519 verification, the registration behind it and, unless `pending`, the utility's confirmation. */
  register(meter: TestMeter, options: MeterOptions = {}): TransactionInstruction[] {
    const payload = this.enrolment(meter, options.message);
    return [
      instructions.signedMessageVerification(meter.key.publicKey.toBytes(), signed(meter.key, payload)),
      instructions.registerMeter({
        authority: this.installer.publicKey,
        authorityIsUtility: false,
        payer: this.payer,
        zone: this.zone,
        meterId: meter.id,
        owner: meter.owner.publicKey,
        pointCommitment: meter.commitment,
      }),
      ...(options.pending ? [] : [this.confirm(meter, { ...options, enrolment: sha256(payload).slice(0, 16) })]),
    ];
  }

  createPages(page = 0): void {
    const { payer, zone } = this;
    const ledger = instructions.createLedgerPage({ payer, zone, page });
    this.chain.must([instructions.createPage({ payer, zone, page }), ledger, ledger]);
  }

  /** Registers `count` meters and activates their slots on pages that it creates. */
  addMeters(count: number, options: MeterOptions = {}, first = 0): TestMeter[] {
    const meters: TestMeter[] = [];
    for (let index = first; index < first + count; index++) {
      const meter = this.meter(`${index}`, options.owner);
      this.chain.must(this.register(meter, options), this.staff);
      const page = index >> 8;
      if (index % 256 === 0) this.createPages(page);
      this.chain.must([instructions.activateSlot({ meterId: meter.id, zone: this.zone, page })]);
      meters.push(meter);
    }
    return meters;
  }

  meterPage(page = 0) {
    return this.chain.get(pda.meterPage(this.zone, page), decodeMeterPage);
  }

  ledgerPage(page = 0) {
    return this.chain.get(pda.ledgerPage(this.zone, page), decodeLedgerPage);
  }

  /** Returns items for `totals` by slot: each with a statement payload for `window`. */
  items(window: number, totals: ReadonlyMap<number, { exportWh: bigint; importWh: bigint }>): AttestItem[] {
    return [...totals].map(([slot, total]) => attestItem(slot, window, total));
  }

  attest(args: {
    window: number;
    items: readonly AttestItem[];
    page?: number;
    signers?: readonly Keypair[];
    read?: ReturnType<World['meterPage']>;
  }): Outcome {
    const page = args.page ?? 0;
    const signers = args.signers ?? this.attestors.slice(0, this.threshold);
    const instruction = buildAttestPage({
      zone: this.zone,
      page,
      read: args.read ?? this.meterPage(page),
      window: args.window,
      items: args.items,
      attestors: signers.map((key) => key.publicKey),
    });
    return this.chain.send([computeLimit(60_000), instruction], signers);
  }

  mintPage(page = 0): Outcome {
    return this.chain.send([instructions.mintPage({ zone: this.zone, page })]);
  }

  /** Returns base units in a token account; 0 when it does not exist. */
  balance(account: PublicKey): bigint {
    const data = this.chain.account(account)?.data;
    return data ? new DataView(data.buffer, data.byteOffset).getBigUint64(64, true) : 0n;
  }

  /** Returns base units of GXT in existence. */
  supply(): bigint {
    const data = this.chain.account(pda.mint())?.data;
    return data ? new DataView(data.buffer, data.byteOffset).getBigUint64(36, true) : 0n;
  }
}
