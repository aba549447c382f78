import { createHash } from 'node:crypto';
import { utils, web3 } from '@coral-xyz/anchor';
import { hex, isDisputed, keyOf, named, num, slotsOf, small, str } from './fields.js';
import { addresses, associated, type Decoded, derive, type Fields, type Raw, type Snapshot } from './read.js';

const WH = 1_000n;
const NO_SLOT = 0xffffn;
const ACTIVE = 1n;
const REPLACED = 4n;

/** Sums that a person can compare, as decimal text: they do not fit a JSON number. */
export interface Figures {
  readonly network_id: string;
  /** False on a restored development chain: network_id was derived from the genesis hash of its first start. */
  readonly genesis_hash_matches: boolean;
  readonly slot: number;
  readonly meters: number;
  readonly pages: number;
  readonly export_wh: string;
  readonly import_wh: string;
  readonly minted_wh: string;
  readonly pooled_wh: string;
  /** Burned by owners for imported energy. */
  readonly retired_wh: string;
  /** Slots that a dispute freezes. */
  readonly disputed: number;
  readonly supply_base_units: string;
  readonly vault_base_units: string;
  /** Transferred to the vault by anyone, beyond the pooled amount. */
  readonly gifts_base_units: string;
  /** Burned by holders themselves. */
  readonly burned_base_units: string;
  /** Accounts that strangers gave to the programs, and ledger pages of which only the first half exists. */
  readonly foreign_accounts: number;
}

/** Every number that must never fall, by name; decimal text. */
export type Levels = Readonly<Record<string, string>>;

/** Checks a snapshot rule by rule and collects the problems in words. */
export class Audit {
  readonly findings: string[] = [];
  readonly #chain: Snapshot;
  readonly #pages: Map<string, Decoded>;
  readonly #ledgers: Map<string, Decoded>;

  constructor(chain: Snapshot) {
    this.#chain = chain;
    this.#pages = new Map(named(chain.accounts.oracle, 'MeterPage').map((page) => [keyOf(page.value), page]));
    this.#ledgers = new Map(named(chain.accounts.energyToken, 'LedgerPage').map((page) => [keyOf(page.value), page]));
    this.findings.push(...chain.unknown);
  }

  #expect(holds: boolean, text: string): void {
    if (!holds) this.findings.push(text);
  }

  /** Checks Config, zones and meters: addresses follow from contents, network_id is derived, a slot has one meter. */
  registry(): void {
    const { registry } = this.#chain.accounts;
    const configs = named(registry, 'Config');
    this.#expect(configs.length === 1, `the registry has ${configs.length} Config accounts`);
    for (const { value, address } of configs) {
      this.#expect(address === derive(addresses.registry, 'config'), 'Config has another address');
      const genesis = Buffer.from(utils.bytes.bs58.decode(this.#chain.genesisHash));
      // An embedded development node makes a new genesis hash at every start and restores its accounts from a snapshot.
      const matches = str(value, 'genesis_hash') === genesis.toString('hex');
      const development = num(value, 'development') === 1n;
      this.#expect(matches || development, 'Config was made for another chain: its genesis hash differs');
      const parts = [hex(str(value, 'genesis_hash')), addresses.oracle.toBuffer(), hex(str(value, 'salt'))];
      const id = createHash('sha256').update(Buffer.concat(parts)).digest('hex').slice(0, 16);
      this.#expect(str(value, 'network_id') === id, `network_id is ${str(value, 'network_id')}, derived ${id}`);
    }
    this.#meters();
  }

  #meters(): void {
    const { registry } = this.#chain.accounts;
    const taken = new Map<string, string>();
    const counts = new Map<bigint, bigint>();
    for (const { value, address } of named(registry, 'Meter')) {
      const id = str(value, 'meter_id');
      this.#expect(
        address === derive(addresses.registry, 'meter', [small(value, 'zone'), 2], hex(id)),
        `meter ${id}: another address than its zone and meter_id give`,
      );
      this.#replacement(id, value);
      if (num(value, 'slot') === NO_SLOT) continue;
      const place = `${keyOf(value)}/${num(value, 'slot')}`;
      const other = taken.get(place);
      this.#expect(other === undefined, `slot ${place} belongs to the meters ${other} and ${id}`);
      taken.set(place, id);
      counts.set(num(value, 'zone'), (counts.get(num(value, 'zone')) ?? 0n) + 1n);
    }
    for (const { value, address } of named(registry, 'Zone')) {
      const zone = num(value, 'zone');
      this.#expect(
        address === derive(addresses.registry, 'zone', [Number(zone), 2]),
        `zone ${zone}: another address than its number gives`,
      );
      const count = counts.get(zone) ?? 0n;
      this.#expect(
        num(value, 'meter_count') === count,
        `zone ${zone} counts ${num(value, 'meter_count')} meters, there are ${count}`,
      );
    }
    for (const [key, page] of this.#pages) {
      for (const [index, slot] of slotsOf(page).entries()) {
        const used = (num(slot, 'flags') & ACTIVE) !== 0n || num(slot, 'export_wh') > 0n || num(slot, 'import_wh') > 0n;
        this.#expect(!used || taken.has(`${key}/${index}`), `slot ${key}/${index} is in use, and no meter has it`);
      }
    }
  }

  /** A replaced meter keeps no slot, and its successor names it. */
  #replacement(id: string, meter: Fields): void {
    if (num(meter, 'status') !== REPLACED) return;
    this.#expect(num(meter, 'slot') === NO_SLOT, `meter ${id} was replaced and still has a slot`);
    const successor = str(meter, 'successor');
    const named = this.#chain.accounts.registry.find(
      ({ name, value }) => name === 'Meter' && value.meter_id === successor && value.predecessor === id,
    );
    this.#expect(named !== undefined, `meter ${id} was replaced by ${successor}, which does not say so`);
  }

  /** Checks cases: each is at its address; a disputed slot has a case, and is as the case found it. */
  disputes(): void {
    const cases = new Map<string, Fields>();
    for (const { value, address } of named(this.#chain.accounts.oracle, 'Dispute')) {
      const place = `${keyOf(value)}/${num(value, 'slot')}`;
      const seed = Buffer.alloc(8);
      seed.writeUInt16LE(small(value, 'zone'), 0);
      seed.writeUInt32LE(small(value, 'page'), 2);
      seed.writeUInt16LE(small(value, 'slot'), 6);
      const at = derive(addresses.oracle, 'dispute', seed);
      this.#expect(address === at, `the dispute of slot ${place} is at another address than its numbers give`);
      cases.set(place, value);
    }
    for (const [key, page] of this.#pages) {
      for (const [index, slot] of slotsOf(page).entries()) {
        if (isDisputed(slot)) this.#frozen(`${key}/${index}`, slot, cases.get(`${key}/${index}`));
      }
    }
  }

  #frozen(place: string, slot: Fields, found: Fields | undefined): void {
    if (!found) {
      this.findings.push(`slot ${place} is disputed, and there is no case`);
      return;
    }
    const pairs = [
      ['export_wh', 'slot_export_wh'],
      ['import_wh', 'slot_import_wh'],
      ['window', 'slot_window'],
    ] as const;
    const same = pairs.every(([field, frozen]) => num(slot, field) === num(found, frozen));
    this.#expect(same, `slot ${place} is disputed, and has moved since`);
  }

  /**
   * Checks pages and cursors: every page is at its address, minted ≤ export, retired ≤ import, pooled and certified ≤
   * minted (invariant 2).
   */
  pages(): void {
    for (const [key, { address, value }] of this.#pages) {
      const at = derive(addresses.oracle, 'page', [small(value, 'zone'), 2], [small(value, 'page'), 4]);
      this.#expect(address === at, `meter page ${key} is at another address than its numbers give`);
    }
    for (const [key, ledger] of this.#ledgers) {
      const { address, value } = ledger;
      const at = derive(addresses.energyToken, 'ledger', [small(value, 'zone'), 2], [small(value, 'page'), 4]);
      this.#expect(address === at, `ledger page ${key} is at another address than its numbers give`);
      const page = this.#pages.get(key);
      const meters = page ? slotsOf(page) : [];
      for (const [index, slot] of slotsOf(ledger).entries()) this.#cursor(`${key}/${index}`, slot, meters[index]);
    }
  }

  #cursor(place: string, slot: Fields, meter: Fields | undefined): void {
    const [minted, pooled] = [num(slot, 'minted_wh'), num(slot, 'pooled_wh')];
    const [exported, imported] = meter ? [num(meter, 'export_wh'), num(meter, 'import_wh')] : [0n, 0n];
    this.#expect(minted <= exported, `slot ${place}: ${minted} Wh minted of ${exported} Wh exported`);
    this.#expect(pooled <= minted, `slot ${place}: ${pooled} Wh pooled of ${minted} Wh minted`);
    this.#expect(num(slot, 'certified_wh') <= minted, `slot ${place}: more certified than minted`);
    this.#expect(num(slot, 'retired_wh') <= imported, `slot ${place}: more retired than imported`);
    this.#expect(num(slot, 'import_closed_wh') <= imported, `slot ${place}: the market closed above the import`);
  }

  /** Checks mint, supply and vault (invariant 1). */
  token(): Figures {
    const { mint, tokenAccounts, accounts, genesisHash, slot } = this.#chain;
    const supply = this.#mint(mint);
    const balances = new Map(tokenAccounts.map(({ address, data }) => [address, data.readBigUInt64LE(64)]));
    const held = [...balances.values()].reduce((sum, value) => sum + value, 0n);
    this.#expect(held === supply, `supply is ${supply} base units, all token accounts hold ${held}`);
    const sum = (field: string) => this.#sum(this.#ledgers, field);
    const lost = [...this.#ledgers.values()].reduce((total, { value }) => total + num(value, 'lost_wh'), 0n);
    const net = (sum('minted_wh') - sum('retired_wh') - sum('sold_back_wh') - lost) * WH;
    this.#expect(net >= supply, `supply is ${supply} base units, the cursors explain only ${net}`);
    const pooled = sum('pooled_wh') * WH;
    const vault = this.#vault(tokenAccounts, balances, accounts.energyToken);
    this.#expect(this.#chain.tradingAccounts === 0, 'the trading program has accounts: this check knows no seats yet');
    this.#expect(vault >= pooled, `the vault holds ${vault} base units of ${pooled} pooled`);
    const [config] = named(accounts.registry, 'Config');
    const genesis = Buffer.from(utils.bytes.bs58.decode(genesisHash)).toString('hex');
    return {
      network_id: config ? str(config.value, 'network_id') : `none on ${genesisHash}`,
      genesis_hash_matches: config !== undefined && str(config.value, 'genesis_hash') === genesis,
      slot,
      meters: named(accounts.registry, 'Meter').length,
      pages: this.#pages.size,
      export_wh: `${this.#sum(this.#pages, 'export_wh')}`,
      import_wh: `${this.#sum(this.#pages, 'import_wh')}`,
      minted_wh: `${sum('minted_wh')}`,
      pooled_wh: `${sum('pooled_wh')}`,
      retired_wh: `${sum('retired_wh')}`,
      disputed: [...this.#pages.values()].flatMap(slotsOf).filter(isDisputed).length,
      supply_base_units: `${supply}`,
      vault_base_units: `${vault}`,
      gifts_base_units: `${vault - pooled}`,
      burned_base_units: `${net - supply}`,
      foreign_accounts: this.#chain.foreignAccounts,
    };
  }

  #sum(pages: ReadonlyMap<string, Decoded>, field: string): bigint {
    return [...pages.values()].flatMap(slotsOf).reduce((total, slot) => total + num(slot, field), 0n);
  }

  /** Checks the mint: the program is its authority, 6 decimals, only metadata extensions. Returns the supply. */
  #mint(mint: Raw | undefined): bigint {
    if (!mint || mint.owner !== addresses.token2022.toBase58() || mint.data.length < 166) {
      this.findings.push('there is no Token-2022 mint at the address of GXT');
      return 0n;
    }
    const { data } = mint;
    const authority = data.readUInt32LE(0) === 1 ? new web3.PublicKey(data.subarray(4, 36)).toBase58() : 'nobody';
    this.#expect(authority === derive(addresses.energyToken, 'mint_authority'), `the mint authority is ${authority}`);
    this.#expect(data[44] === 6, `GXT has ${data[44]} decimals`);
    this.#expect(data.readUInt32LE(46) === 0, 'GXT has a freeze authority');
    const METADATA = [18, 19]; // metadata pointer, metadata
    for (let at = 166; at + 4 <= data.length; at += 4 + data.readUInt16LE(at + 2)) {
      const type = data.readUInt16LE(at);
      this.#expect(METADATA.includes(type), `GXT has the Token-2022 extension number ${type}`);
    }
    return data.readBigUInt64LE(36);
  }

  /** Checks that the configured vault is the pool's and the trading program's PDA owns it. Returns its balance. */
  #vault(tokenAccounts: readonly Raw[], balances: ReadonlyMap<string, bigint>, list: readonly Decoded[]): bigint {
    const authority = derive(addresses.trading, 'vault_authority');
    const vault = associated(authority, derive(addresses.energyToken, 'mint'));
    const [config] = named(list, 'TokenConfig');
    this.#expect(
      config !== undefined && str(config.value, 'vault') === vault,
      'the token is configured for another vault',
    );
    const account = tokenAccounts.find(({ address }) => address === vault);
    const owner = account ? new web3.PublicKey(account.data.subarray(32, 64)).toBase58() : 'nobody';
    this.#expect(owner === authority, `the vault belongs to ${owner}, not to the trading program`);
    return balances.get(vault) ?? 0n;
  }

  /** Returns every number that must never fall (invariant 3). */
  levels(): Levels {
    const levels: Record<string, string> = {};
    for (const [key, page] of this.#pages) {
      for (const field of ['version', 'moves', 'highest_window'])
        levels[`page ${key} ${field}`] = `${num(page.value, field)}`;
      this.#slotLevels(levels, key, page, ['export_wh', 'import_wh', 'window']);
    }
    for (const { value } of named(this.#chain.accounts.energyToken, 'Budget')) {
      for (const field of ['minted_wh', 'newest_window'])
        levels[`budget ${num(value, 'zone')} ${field}`] = `${num(value, field)}`;
    }
    for (const [key, ledger] of this.#ledgers) {
      levels[`ledger ${key} lost_wh`] = `${num(ledger.value, 'lost_wh')}`;
      const fields = ['minted_wh', 'pooled_wh', 'retired_wh', 'sold_back_wh', 'certified_wh', 'import_closed_wh'];
      this.#slotLevels(levels, key, ledger, fields);
    }
    return levels;
  }

  #slotLevels(levels: Record<string, string>, key: string, account: Decoded, fields: readonly string[]): void {
    for (const [index, slot] of slotsOf(account).entries()) {
      for (const field of fields) {
        if (num(slot, field) > 0n) levels[`slot ${key}/${index} ${field}`] = `${num(slot, field)}`;
      }
    }
  }
}

/** Returns the numbers that fell between two moments. */
export function fallen(before: Levels, now: Levels): string[] {
  return Object.entries(before).flatMap(([name, value]) => {
    const next = BigInt(now[name] ?? 0n);
    return next < BigInt(value) ? [`${name} fell from ${value} to ${next}`] : [];
  });
}
