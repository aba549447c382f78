import { asMeterId, Kind, Reason, toHex, type Verifier } from '@gridtokenx/protocol';
import { provedVerifier, sodiumSigner } from '@gridtokenx/runtime/node/sodium';
import { PowerCut } from '@gridtokenx/testing-kit/crash-disk';
import { Random } from '@gridtokenx/testing-kit/random';
import type { Outcome } from '../campaign.js';
import { MemoryBroker } from './broker.js';
import { SimulatedGateway } from './gateway.js';
import { SimulatedOracle } from './oracle.js';
import { rules } from './rules.js';
import { simulatedTime } from './time.js';
import { makeHome, Witness } from './world.js';

const HOMES = 2;
/** Real milliseconds in one life without a cut: two windows. */
const STEP_MS = 1_500;
const STEPS = 14;
/** Bounds the steps within which everything must be acknowledged in the end. */
const DRAIN_STEPS = 80;

let proven: Verifier | null = null;

class Run {
  readonly random: Random;
  readonly time = simulatedTime();
  readonly witness = new Witness();
  readonly broker: MemoryBroker;
  readonly oracle: SimulatedOracle;
  readonly gateways: SimulatedGateway[];
  readonly figures = { cuts_of_gateways: 0, cuts_of_ledger: 0, broker_kills: 0 };

  constructor(seed: number) {
    proven ??= provedVerifier();
    const verifier = proven;
    this.random = new Random(seed, 'cuts');
    const startAtMs = this.time.reading.nowMs();
    const signer = sodiumSigner(new Uint8Array(32).fill(99));
    const homes = Array.from({ length: HOMES }, (_, i) => makeHome(i, startAtMs));
    const { time, witness, random } = this;
    this.broker = new MemoryBroker(witness, signer.publicKey);
    this.oracle = new SimulatedOracle({ time, broker: this.broker, witness, homes, signer, verifier, random });
    const around = { time, startAtMs, broker: this.broker, oracle: signer.publicKey, verifier, witness, random };
    this.gateways = homes.map((home) => new SimulatedGateway(home, around));
    for (const { disk } of this.gateways) disk.isLying = !rules.gatewaySync;
    this.oracle.isLying = !rules.ledgerSync;
  }

  async play(): Promise<void> {
    const { random, oracle, gateways } = this;
    oracle.start();
    for (const gateway of gateways) await gateway.start();
    for (let step = 0; step < STEPS; step++) {
      for (const { disk } of gateways) if (random.chance(0.45)) disk.fuse = random.int(0, 25);
      if (random.chance(0.4)) oracle.fuse = random.int(0, 12);
      if (random.chance(0.15)) {
        this.broker.restart();
        this.figures.broker_kills++;
      }
      await this.time.clock.advance(random.int(100, STEP_MS));
      await this.#heal(step % 2 === 0);
    }
    for (const { disk } of gateways) disk.fuse = Number.POSITIVE_INFINITY;
    oracle.fuse = Number.POSITIVE_INFINITY;
    await this.#heal(true);
    await this.#drain();
  }

  /** Restarts the parts that lost their power; `everyone`: sometimes also cuts the others. */
  async #heal(everyone: boolean): Promise<void> {
    const { random, oracle } = this;
    if (!oracle.isUp || (everyone && random.chance(0.2))) {
      oracle.kill();
      this.figures.cuts_of_ledger++;
      // Down for a while: packets are lost.
      if (random.chance(0.5)) await this.time.clock.advance(random.int(0, 800));
      oracle.start();
      if (oracle.integrity() !== 'ok') this.witness.faults.add(`the ledger is damaged: ${oracle.integrity()}`);
    }
    for (const gateway of this.gateways) {
      if (!gateway.disk.isOff && !(everyone && random.chance(0.2))) continue;
      await this.#restart(gateway);
    }
  }

  async #restart(gateway: SimulatedGateway): Promise<void> {
    for (;;) {
      gateway.kill();
      this.figures.cuts_of_gateways++;
      await this.time.clock.advance(this.random.int(0, 400));
      gateway.disk.restart();
      // A cut can hit recovery itself.
      if (this.random.chance(0.2)) gateway.disk.fuse = this.random.int(0, 3);
      try {
        await gateway.start();
        await gateway.judgeSpool();
        return;
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error;
      }
    }
  }

  async #drain(): Promise<void> {
    for (let step = 0; step < DRAIN_STEPS; step++) {
      await this.time.clock.advance(1_000);
      for (const gateway of this.gateways) if (gateway.disk.isOff) await this.#restart(gateway);
      if (!this.oracle.isUp) await this.#heal(false);
      if (this.gateways.every(({ depth }) => depth !== null && depth <= 1)) break;
    }
    await this.time.clock.advance(2_000);
  }

  async judge(): Promise<Record<string, number>> {
    const { faults } = this.witness;
    // A statement is stored before it is signed; its root lacks readings below it that a cut destroyed.
    const figures = { messages: 0, statements: 0, records: 0, rootless: 0 };
    for (const { home, spool } of this.gateways) {
      const id = asMeterId(home.record.meterId);
      const stored = this.oracle.messages(id);
      const through = this.witness.acknowledged.get(id) ?? 0n;
      // Messages without an ack in the end were signed in the last moment, and only those.
      const highest = spool?.highest(id) ?? 0n;
      if (highest > through + 8n) faults.add(`never acknowledged: ${id} from ${through + 1n} to ${highest}`);
      for (const { seq, bytes } of (await spool?.read(id, 1n, 1_000_000)) ?? []) {
        figures.records++;
        if (seq > through) continue;
        if (stored.get(seq)?.content !== toHex(bytes)) faults.add(`lost: ${id}/${seq} is in the spool only`);
      }
      for (const { seq, name, content } of this.witness.publishedOf(id)) {
        if (seq <= through && stored.get(seq)?.content !== content) faults.add(`lost: ${name} was published`);
      }
      for (const [seq, { verdict, kind }] of stored) {
        figures.messages++;
        if (kind === Kind.statement) figures.statements++;
        if (kind === Kind.statement && verdict === Reason.rootNotReproducible) figures.rootless++;
        else if (verdict !== 0) faults.add(`${id}/${seq} (kind ${kind}) has verdict ${verdict}`);
      }
    }
    return figures;
  }
}

/** Plays one seed of power cuts at any write of gateways and ledger, on a virtual clock. */
export async function runCuts(seed: number): Promise<Outcome> {
  const run = new Run(seed);
  try {
    await run.play();
    const found = await run.judge();
    const sectors = { dropped: 0, kept: 0, removed: 0 };
    for (const { disk, fate } of run.gateways) {
      sectors.dropped += fate.dropped;
      sectors.kept += fate.kept;
      sectors.removed += disk.removed;
    }
    const named = {
      'sectors dropped': sectors.dropped,
      'sectors kept by luck': sectors.kept,
      'segments dropped after the ack': sectors.removed,
    };
    const figures = { cut_runs: 1, ...run.figures, ...found, ...named, 'packets dropped': run.broker.dropped };
    return { faults: [...run.witness.faults], figures };
  } catch (error) {
    // A rule that is off may break the applications themselves.
    return { faults: [...run.witness.faults, `${(error as Error).stack}`], figures: {} };
  } finally {
    for (const gateway of run.gateways) gateway.kill();
    run.oracle.remove();
  }
}
