import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Returns the IDLs and generated clients that differ from their sources, one finding each. */
export function checkGenerated(root: string): string[] {
  const generator = join(root, 'programs/idl/generate.mjs');
  const { status, stderr } = spawnSync(process.execPath, [generator, '--check'], { encoding: 'utf8' });
  const lines = stderr.split('\n').filter((line) => line !== '');
  return status === 0 || lines.length > 0 ? lines : [`${generator} --check ended with ${status}`];
}
