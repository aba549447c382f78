import {
  decodeLedgerPage,
  decodeMeter,
  decodeMeterPage,
  parseChainError,
  pda,
  type RawAccount,
} from '@gridtokenx/chain-client';
import type { BlockhashState } from '@gridtokenx/chain-sender';
import { base58Encode, encodePayload, fromHex } from '@gridtokenx/protocol';
import type { Chain } from '@gridtokenx/testing-kit/chain/harness';
import { START, World } from '@gridtokenx/testing-kit/chain/world';
import { PublicKey, VersionedTransaction } from '@solana/web3.js';
import { AttestorBuilder, singleAttestor } from '#oracle/adapters/chain/builder.js';
import { attestedEvent } from '#oracle/adapters/chain/events.js';
import { toRecord } from '#oracle/adapters/chain/registry.js';
import type { MeterRecord } from '#oracle/domain/ports.js';
import type { ChainNode, Outcome, TransactionBuilder } from '#oracle/domain/settlement/ports.js';
import type { AttestableStatement, SignedStatement, StatementStore } from '#oracle/domain/settlement/statements.js';
import type { MeterView } from './chain-view.js';

/** The window in which all meters are enrolled; then the chain's clock is set ahead, so that all that is stated is over. */
export const ENROLLED = Math.floor(START / 900);
const LATER_SECONDS = 100 * 900;
const HEIGHTS = 150;

/** The node: what is sent lands at once, unless it is held back. */
export class Node implements ChainNode {
  readonly #chain: Chain;
  #outcomes = new Map<string, Outcome>();
  #height = 100;
  /** Transactions that are under way. */
  readonly held: Uint8Array[] = [];
  isHolding = false;
  /** Transactions that the page's version kept out. */
  stale = 0;

  constructor(chain: Chain) {
    this.#chain = chain;
  }

  async latestBlockhash() {
    return { blockhash: this.#chain.svm.latestBlockhash(), lastValidBlockHeight: this.#height + HEIGHTS };
  }
  async readPage(zone: number, page: number) {
    return {
      contextSlot: this.#height,
      page: this.#chain.get(pda.meterPage(zone, page), decodeMeterPage),
      ledger: this.#chain.get(pda.ledgerPage(zone, page), decodeLedgerPage),
    };
  }
  async send(raw: Uint8Array): Promise<void> {
    if (this.isHolding) this.held.push(raw);
    else this.land(raw);
  }
  async outcome(signature: string): Promise<Outcome> {
    return this.#outcomes.get(signature) ?? { kind: 'unknown' };
  }
  async blockhashState(): Promise<BlockhashState> {
    return 'valid';
  }

  /** Hands a transaction to the bank, which takes each one once. */
  land(raw: Uint8Array): void {
    const signature = base58Encode(VersionedTransaction.deserialize(raw).signatures[0] ?? new Uint8Array());
    if (this.#outcomes.has(signature)) return;
    const result = this.#chain.svm.sendVersionedTransaction(raw);
    const slot = ++this.#height;
    if ('err' in result) {
      const error = parseChainError(result.meta().logs())?.name ?? String(result.err());
      this.#outcomes.set(signature, { kind: 'failed', slot, error });
      if (error === 'StaleVersion') this.stale++;
    } else this.#outcomes.set(signature, { kind: 'landed', slot, event: attestedEvent(result.logs()) });
  }

  /** Restarted: it knows no signature of before. */
  forget(): void {
    this.#outcomes = new Map();
  }
}

/** What meters have stated: registers that rise. */
class Statements implements StatementStore {
  /** Registers by `meter/window`. */
  readonly raw = new Map<string, { importWh: bigint; exportWh: bigint }>();
  readonly #byMeter = new Map<string, AttestableStatement[]>();

  /** One more statement of a meter, its registers so many Wh above those of its last one. */
  rise(meter: MeterRecord, window: number, exportWh: bigint, importWh: bigint): void {
    const last = this.newest(meter.meterId);
    const registers = {
      importWh: (last?.importWh ?? meter.importBaselineWh) + importWh,
      exportWh: (last?.exportWh ?? meter.exportBaselineWh) + exportWh,
    };
    const payload = encodePayload({
      kind: 2,
      networkId: new Uint8Array(8),
      meterId: fromHex(meter.meterId),
      seq: BigInt(window),
      window,
      ...registers,
      readingCount: 15,
      quality: 64,
      timeUncertaintyMs: 1,
      readingsRoot: new Uint8Array(32),
    });
    const list = this.#byMeter.get(meter.meterId) ?? [];
    list.push({ meterId: meter.meterId, window, ...registers, payload, message: new Uint8Array(171), receivedMs: 0 });
    this.#byMeter.set(meter.meterId, list);
    this.raw.set(`${meter.meterId}/${window}`, registers);
  }
  attestable(meterId: string, afterWindow: number, limit = 1_000): AttestableStatement[] {
    return (this.#byMeter.get(meterId) ?? []).filter(({ window }) => window > afterWindow).slice(0, limit);
  }
  newest(meterId: string): AttestableStatement | undefined {
    return this.#byMeter.get(meterId)?.at(-1);
  }
  inputs(): AttestableStatement[] {
    return [];
  }
  signedBy(): SignedStatement[] {
    return [];
  }
  saying(): undefined {
    return undefined;
  }
  onStored(): () => void {
    return () => undefined;
  }
}

/** One page of meters on the built programs, with one attestor. */
export interface Rig {
  readonly chain: Chain;
  readonly zone: number;
  readonly node: Node;
  readonly builder: TransactionBuilder;
  readonly statements: Statements;
  readonly meters: readonly MeterRecord[];
  /** The same meters, as slots are judged. */
  readonly views: readonly MeterView[];
  /** Accounts of the page as they are now; `restore` puts them back, while transactions stay valid. */
  save(): ReadonlyMap<string, RawAccount>;
  restore(saved: ReadonlyMap<string, RawAccount>): void;
}

export function makeRig(count: number): Rig {
  const world = new World({ attestors: 1, threshold: 1, development: true }).setUp();
  const { chain, zone } = world;
  const [attestor] = world.attestors;
  if (!attestor) throw new Error('no attestor');
  chain.svm.airdrop(attestor.publicKey.toBytes(), 10n ** 12n);
  const added = world.addMeters(count);
  chain.time = START + LATER_SECONDS;
  const meters = added.map(({ id }) => toRecord(chain.get(pda.meter(zone, id), decodeMeter)));
  const node = new Node(chain);
  const alone = singleAttestor(attestor.publicKey, async () => [attestor.publicKey]);
  const owners = added.map(({ owner }) => pda.ownerTokenAccount(owner.publicKey));
  const keys = [
    pda.meterPage(zone, 0),
    pda.ledgerPage(zone, 0),
    pda.budget(zone),
    pda.mint(),
    pda.poolVault(),
    ...owners,
  ];
  return {
    chain,
    zone,
    node,
    builder: new AttestorBuilder(
      () => node.latestBlockhash(),
      attestor,
      alone,
      async (address) => chain.account(address) !== undefined,
    ),
    statements: new Statements(),
    meters,
    views: meters.map((meter) => ({
      meterId: meter.meterId,
      zone,
      page: 0,
      slot: meter.slot ?? -1,
      enrolmentWindow: meter.enrolmentWindow,
      importOffset: meter.importCarriedWh - meter.importBaselineWh,
      exportOffset: meter.exportCarriedWh - meter.exportBaselineWh,
    })),
    save() {
      const found = keys.map((key) => [key.toBase58(), chain.account(key)] as const);
      return new Map(found.flatMap(([key, account]) => (account ? [[key, account]] : [])));
    },
    restore(saved) {
      for (const [key, account] of saved) chain.put(new PublicKey(key), account);
      node.forget();
    },
  };
}
