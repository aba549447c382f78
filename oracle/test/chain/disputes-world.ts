import { SettlerHarness, W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { DisputeOracle, deviceFixture, type LiteFixture, slotOf } from './disputes-harness.js';

/** Two homes whose devices said window 1, which is settled, and oracles that may answer for them. */
export class DisputeWorld {
  readonly fixture: LiteFixture;
  readonly harness: SettlerHarness;
  /** Closed with it. */
  readonly oracles: DisputeOracle[] = [];

  private constructor(fixture: LiteFixture) {
    this.fixture = fixture;
    this.harness = new SettlerHarness(fixture);
  }

  static async open(): Promise<DisputeWorld> {
    const world = new DisputeWorld(await deviceFixture(2));
    const { fixture, harness } = world;
    for (const meter of fixture.meters) harness.statements.put(meter, W(1), 100n, 200n);
    await harness.untilIdle();
    const shown = slotOf(fixture, 0);
    if (shown?.exportWh !== 100n || shown.window !== W(1)) throw new Error('window 1 is not settled');
    return world;
  }

  /** An oracle that heard these messages. */
  oracle(...heard: Uint8Array[]): DisputeOracle {
    const made = new DisputeOracle(this.fixture);
    this.oracles.push(made);
    if (heard.length > 0) made.hear(...heard);
    return made;
  }

  close(): void {
    for (const one of this.oracles) one.close();
    this.harness.close();
  }
}
