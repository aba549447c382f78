import type { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { afterEach } from 'vitest';
import type { Limits } from '../src/ports.js';
import { enrol } from './cast.js';
import { endAll, type Rig, startRig } from './harness.js';

/** A broker that each test of a file starts with limits of its own; it ends with the test. */
export class Limited {
  #rig: Rig | null = null;

  constructor() {
    afterEach(async () => {
      endAll();
      await this.#rig?.close();
      this.#rig = null;
    });
  }

  async start(limits: Partial<Limits> = {}, clock?: VirtualClock): Promise<void> {
    this.#rig = await startRig({ limits, ...(clock ? { clock } : {}) });
    enrol(this.#rig);
  }

  get rig(): Rig {
    if (!this.#rig) throw new Error('no broker is started');
    return this.#rig;
  }
}
