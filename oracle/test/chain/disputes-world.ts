import { SettlerHarness, W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { DisputeOracle, deviceRig, type LiteRig, slotOf } from './disputes-harness.js';

/** Two homes whose devices said window 1, which is settled, and oracles that may answer for them. */
export class DisputeWorld {
  readonly rig: LiteRig;
  readonly harness: SettlerHarness;
  /** Closed with it. */
  readonly oracles: DisputeOracle[] = [];

  private constructor(rig: LiteRig) {
    this.rig = rig;
    this.harness = new SettlerHarness(rig);
  }

  static async open(): Promise<DisputeWorld> {
    const world = new DisputeWorld(await deviceRig(2));
    const { rig, harness } = world;
    for (const meter of rig.meters) harness.statements.put(meter, W(1), 100n, 200n);
    await harness.untilIdle();
    const shown = slotOf(rig, 0);
    if (shown?.exportWh !== 100n || shown.window !== W(1)) throw new Error('window 1 is not settled');
    return world;
  }

  /** An oracle that heard these messages. */
  oracle(...heard: Uint8Array[]): DisputeOracle {
    const made = new DisputeOracle(this.rig);
    this.oracles.push(made);
    if (heard.length > 0) made.hear(...heard);
    return made;
  }

  close(): void {
    for (const one of this.oracles) one.close();
    this.harness.close();
  }
}
