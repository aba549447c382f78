import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PtyBus, startPtyBus } from '@gridtokenx/simulators';
import { afterEach, beforeEach, vi } from 'vitest';

export const OWNER = '9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin';
/** Options of an installer for a site. */
export const SITE = {
  ...{ owner: OWNER, zone: 1, exportLimitW: 10_000, importLimitW: 20_000, yes: true },
  ...{ model: [] as string[], profile: [] as string[] },
};

/** A pty with simulated meters, a folder, and the commands' output; each test of a file has its own. */
export class ScanBench {
  folder = '';
  bus: PtyBus | null = null;
  readonly said: string[] = [];
  onFound = () => {};

  constructor() {
    beforeEach(() => {
      this.folder = mkdtempSync(join(tmpdir(), 'scan-'));
      this.said.length = 0;
      this.onFound = () => {};
      vi.spyOn(console, 'log').mockImplementation((text) => void this.said.push(String(text)));
      vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
        this.said.push(String(text).trimEnd());
        if (String(text).startsWith('found after')) this.onFound();
        return true;
      });
    });
    afterEach(async () => {
      vi.restoreAllMocks();
      await this.bus?.close();
      this.bus = null;
      rmSync(this.folder, { recursive: true });
    });
  }

  start(options: Omit<Parameters<typeof startPtyBus>[0], 'link'>): PtyBus {
    this.bus = startPtyBus({ ...options, link: this.path('port') });
    return this.bus;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Writes the configuration from which a site begins; returns its path. */
  base(): string {
    const file = this.path('site.yaml');
    const now = Date.now();
    const clock = {
      version: 1,
      speed: 1,
      anchorSimMs: now,
      anchorRealMs: now,
      reservedThroughMs: now + 3_600_000,
      segments: [],
    };
    // An enrolment needs the time, and no oracle answers here.
    writeFileSync(this.path('clock.json'), JSON.stringify(clock));
    const text = `clock: { simulated: ${this.path('clock.json')} }\nnetwork_id: "0011223344556677"\ndata_dir: ${this.path('data')}\nname: home-1\nbroker: { url: "mqtt://127.0.0.1:1", name: dev }\noracles: [{ key: "${OWNER}" }]\n`;
    writeFileSync(file, text);
    return file;
  }
}
