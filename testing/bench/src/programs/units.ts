import { readFileSync } from 'node:fs';
import {
  type AttestItem,
  attestComputeBudget,
  buildAttestPage,
  instructions,
  MAX_TRANSACTION_BYTES,
  planAttest,
  programIds,
} from '@gridtokenx/chain-client';
import { asWh } from '@gridtokenx/protocol';
import { unitsOf } from '@gridtokenx/testing-kit/chain/harness';
import { submit } from '@gridtokenx/testing-kit/chain/telemetry';
import { START, statement, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import type { BenchRow } from '../table.js';

/** One figure of the chain; `toBeat` is the figure that the authors of the public programs publish. */
interface UnitsRow extends BenchRow {
  readonly met: boolean;
}

const METERS = 256;
/** 1.04 kWp in the data; four times that is a common roof. */
const PANELS = 4;
const HOURS = { noon: 12, evening: 19 } as const;
const DAY_MS = 86_400_000;

/** Wh of one interval of 30 minutes by its start, unix milliseconds. */
type Profile = ReadonlyMap<number, { consumption: number; production: number }>;

/** Reads `home,time,consumption_wh,production_wh` with ISO times or unix seconds; a clear error names the line. */
export function readProfile(path: string): Profile {
  const rows = readFileSync(path, 'utf8').trim().split(/\r?\n/);
  const header = rows[0]?.split(',') ?? [];
  const column = (name: string) => {
    const index = header.indexOf(name);
    if (index < 0) throw new Error(`${path}, line 1: no column ${name}`);
    return index;
  };
  const [time, consumption, production] = [column('time'), column('consumption_wh'), column('production_wh')];
  const profile = new Map<number, { consumption: number; production: number }>();
  for (const [index, row] of rows.slice(1).entries()) {
    const fields = row.split(',');
    const text = fields[time] ?? '';
    const start = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text);
    const value = { consumption: Number(fields[consumption]), production: Number(fields[production]) };
    if ([start, value.consumption, value.production].some(Number.isNaN))
      throw new Error(`${path}, line ${index + 2}: ${row}`);
    profile.set(start, value);
  }
  return profile;
}

/**
 * Returns net export and import in Wh of a quarter hour for home number `home`. Each home is the same house on another
 * day of the year.
 */
function quarter(profile: Profile, home: number, hour: number, index: number): { exportWh: bigint; importWh: bigint } {
  const [first] = profile.keys(); // midnight where the house stands
  if (first === undefined) throw new Error('the profile is empty');
  const start = first + ((home * 37) % 364) * DAY_MS + hour * 3_600_000 + Math.floor(index / 2) * 1_800_000;
  const found = profile.get(start);
  if (!found) throw new Error(`the profile has no interval at ${new Date(start).toISOString()}`);
  const net = (found.production * PANELS - found.consumption) / 2;
  return { exportWh: BigInt(Math.floor(Math.max(0, net))), importWh: BigInt(Math.floor(Math.max(0, -net))) };
}

interface Measured {
  readonly metersPerTransaction: number;
  readonly bytes: number;
  readonly unitsPerMeter: number;
  readonly mintUnitsPerMeter: number;
}

/** Attests two windows of 256 homes, 2 of 3 attestors, v0, and measures the second window; then mints the page. */
function measure(profile: Profile, hour: number): Measured {
  const world = new World().setUp();
  world.addMeters(METERS, { exportLimitW: 5_000, importLimitW: 10_000 });
  world.chain.time = START + 900 * 10;
  const signers = world.attestors.slice(0, 2);
  const attestors = signers.map((key) => key.publicKey);
  world.chain.svm.airdrop(attestors[0]?.toBytes() ?? new Uint8Array(32), 1_000_000_000n); // the first one pays the fees
  let first = { meters: 0, bytes: 0, units: 0 };
  for (const step of [1, 2]) {
    const window = windowAt(START) + step;
    const before = world.meterPage();
    const items: AttestItem[] = before.slots.map((slot, index) => {
      const rise = quarter(profile, index, hour, step);
      const total = {
        exportWh: asWh(slot.exportWh + rise.exportWh),
        importWh: asWh(slot.importWh + rise.importWh),
      };
      return { slot: index, ...total, payload: statement(index, window, total) };
    });
    const groups = planAttest({ zone: world.zone, page: 0, read: before, window, items, attestors });
    for (const [index, group] of groups.entries()) {
      const read = world.meterPage();
      const instruction = buildAttestPage({ zone: world.zone, page: 0, read, window, items: group, attestors });
      const outcome = world.chain.send([attestComputeBudget(group.length), instruction], signers, signers[0]);
      if (!outcome.ok) throw new Error(`${outcome.message}\n${outcome.logs.join('\n')}`);
      if (outcome.size > MAX_TRANSACTION_BYTES) throw new Error(`a transaction of ${outcome.size} bytes`);
      if (index === 0)
        first = { meters: group.length, bytes: outcome.size, units: unitsOf(outcome, programIds.oracle) };
    }
    const slots = world.meterPage().slots;
    for (const item of items) {
      const slot = slots[item.slot];
      if (slot?.exportWh !== item.exportWh || slot.importWh !== item.importWh)
        throw new Error(`slot ${item.slot} is not attested`);
    }
  }
  const minted = world.mintPage();
  const due = world.meterPage().slots.reduce((sum, slot) => sum + slot.exportWh, 0n);
  if (!minted.ok || world.supply() !== due * 1_000n) throw new Error(`mint_page: ${minted.message}`);
  return {
    metersPerTransaction: first.meters,
    bytes: first.bytes,
    unitsPerMeter: first.units / first.meters,
    mintUnitsPerMeter: due > 0n ? unitsOf(minted, programIds.energyToken) / METERS : Number.NaN,
  };
}

/** Measures compute units of a device-signed statement sent by anyone, and of a retirement. */
function measureOwner(): { submit: number; retire: number } {
  const world = new World().setUp();
  const [meter] = world.addMeters(1, { message: { deviceSigned: true } });
  if (!meter) throw new Error('a meter');
  world.chain.time = START + 900 * 10;
  const owner = world.owner.publicKey;
  const at = { owner, meterId: meter.id, zone: world.zone, page: 0 };
  world.chain.must([instructions.createOwnerTokenAccount({ payer: world.payer, owner })]);
  world.chain.must([instructions.setDestination({ ...at, destination: 'wallet' })], [world.owner]);
  const said = { window: windowAt(START) + 5, exportWh: 700n, importWh: 300n };
  const submitted = world.chain.must(submit(world, meter, said));
  world.chain.must([instructions.mintMeter(at)]);
  const retired = world.chain.must([instructions.retire({ ...at, wh: asWh(300n) })], [world.owner]);
  if (world.supply() !== 400_000n) throw new Error(`supply ${world.supply()}`);
  return {
    submit: unitsOf(submitted, programIds.oracle),
    retire: unitsOf(retired, programIds.energyToken),
  };
}

const rounded = (value: number) => Math.round(value * 10) / 10;

/**
 * Measures meters per transaction, units per attested meter and per minted meter, on real data at noon and in the
 * evening.
 */
export async function benchChain(csvPath: string): Promise<UnitsRow[]> {
  const profile = readProfile(csvPath);
  const rows: UnitsRow[] = [];
  for (const [name, hour] of Object.entries(HOURS)) {
    const result = measure(profile, hour);
    const { metersPerTransaction: meters, unitsPerMeter, mintUnitsPerMeter } = result;
    rows.push(
      {
        name: `meters per attest transaction, ${name} (${result.bytes} bytes)`,
        value: meters,
        unit: 'meters',
        toBeat: '<= 10',
        goal: '>= 200',
        met: meters >= 200,
      },
      {
        name: `attest, ${name}`,
        value: rounded(unitsPerMeter),
        unit: 'compute units a meter',
        toBeat: '13,376',
        goal: '<= 80',
        met: unitsPerMeter <= 80,
      },
    );
    if (!Number.isNaN(mintUnitsPerMeter)) {
      rows.push({
        name: `mint_page, ${name}`,
        value: rounded(mintUnitsPerMeter),
        unit: 'compute units a meter',
        toBeat: '29,410',
        goal: '<= 100',
        met: mintUnitsPerMeter <= 100,
      });
    }
  }
  const owner = measureOwner();
  rows.push({
    name: 'device-signed statement, by anyone',
    value: owner.submit,
    unit: 'compute units',
    toBeat: 'not possible there',
    goal: '<= 3,000',
    met: owner.submit <= 3_000,
  });
  rows.push({
    name: 'retire',
    value: owner.retire,
    unit: 'compute units',
    toBeat: 'not published',
    goal: 'none set',
    met: true,
  });
  return rows;
}
