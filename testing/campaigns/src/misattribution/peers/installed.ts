import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A program that a script of `testing/campaigns/peers` finds, or builds where it is missing. */
export type Peer = 'telegraf' | 'pymodbus';

const told = new Set<Peer>();

/** Folder of the scripts, from `src` and from `dist`. */
export const peersFolder = fileURLToPath(new URL('../../../peers/', import.meta.url));
/** Stops a build that takes longer; the next run continues with its downloads. */
const MAX_BUILD_MS = 15 * 60_000;

/**
 * Returns the path of the peer's program. Returns null, and prints one line on stderr once, where the program is
 * missing and cannot be built.
 */
export function peerProgram(peer: Peer, env: NodeJS.ProcessEnv = process.env): string | null {
  const { status, stdout, stderr } = spawnSync('sh', [`${peersFolder}${peer}.sh`], {
    encoding: 'utf8',
    env,
    timeout: MAX_BUILD_MS,
  });
  const program = stdout?.trim().split('\n').at(-1) ?? '';
  if (status === 0 && program !== '') return program;
  if (!told.has(peer)) {
    const why = stderr?.trim().split('\n').at(-1) || `${peer}.sh ended with ${status}`;
    process.stderr.write(`${peer}: this row is skipped: ${why}\n`);
  }
  told.add(peer);
  return null;
}
