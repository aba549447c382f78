import { keepHeapSmall, systemClock } from '@gridtokenx/runtime/node';
import { nodeDisk } from '#edge/adapters/disk/node-disk.js';
import { openSpool } from '#edge/adapters/spool/spool.js';
import { RecoveryScan } from '#edge/domain/signing/recovery.js';
import { SEGMENT_BYTES } from '#edge/wiring/sizes.js';

export interface SpoolStart {
  readonly ms: number;
  readonly rssMb: number;
  /** Resident memory before, with all of the gateway's modules loaded. */
  readonly baseMb: number;
}

const rssMb = () => process.memoryUsage().rss / 1e6;

/** Opens a spool as the gateway does, in a process that has loaded the gateway, and reports time and memory. */
async function main([dir = '']: readonly string[]): Promise<void> {
  keepHeapSmall();
  await import('#edge/wiring/run.js');
  const baseMb = rssMb();
  const began = performance.now();
  await openSpool(nodeDisk, dir, systemClock, new RecoveryScan(), SEGMENT_BYTES);
  process.send?.({ ms: performance.now() - began, rssMb: rssMb(), baseMb } satisfies SpoolStart);
  process.exit();
}

if (process.argv[1]?.endsWith('start-child.js')) await main(process.argv.slice(2));
