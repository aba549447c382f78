import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Two ends of a serial line that neither the gateway nor the simulators made. */
export interface SocatLine {
  readonly near: string;
  readonly far: string;
  close(): Promise<void>;
}

const MAX_LIFE_S = '600';
const MIN_LOOK_MS = 20;
const MAX_WAIT_MS = 5_000;

/** Opens two ptys that socat joins. Rejects when they do not exist within 5 s. */
export async function socatLine(): Promise<SocatLine> {
  const folder = mkdtempSync(join(tmpdir(), 'gtx-socat-'));
  const [near, far] = [join(folder, 'near'), join(folder, 'far')];
  // socat ends by itself even when this process is gone.
  const ends = [near, far].map((link) => `pty,raw,echo=0,link=${link}`);
  const child = spawn('timeout', [MAX_LIFE_S, 'socat', ...ends], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const close = async () => {
    child.kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  for (const endAtMs = performance.now() + MAX_WAIT_MS; !(existsSync(near) && existsSync(far)); ) {
    if (performance.now() > endAtMs || child.exitCode !== null) {
      await close();
      throw new Error('socat made no line');
    }
    await new Promise((resolve) => setTimeout(resolve, MIN_LOOK_MS));
  }
  return { near, far, close };
}
