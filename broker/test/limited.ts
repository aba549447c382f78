import type { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { afterEach } from 'vitest';
import type { Limits } from '../src/ports.js';
import { enrol } from './cast.js';
import { endAll, type Fixture, startFixture } from './harness.js';

/** A broker that each test of a file starts with limits of its own; it ends with the test. */
export class Limited {
  #fixture: Fixture | null = null;

  constructor() {
    afterEach(async () => {
      endAll();
      await this.#fixture?.close();
      this.#fixture = null;
    });
  }

  async start(limits: Partial<Limits> = {}, clock?: VirtualClock): Promise<void> {
    this.#fixture = await startFixture({ limits, ...(clock ? { clock } : {}) });
    enrol(this.#fixture);
  }

  get fixture(): Fixture {
    if (!this.#fixture) throw new Error('no broker is started');
    return this.#fixture;
  }
}
