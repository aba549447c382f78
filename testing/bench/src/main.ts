import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '@gridtokenx/devnet/root';
import { errorText } from '@gridtokenx/runtime/core';
import { benchAck } from './ack.js';
import { benchBroker } from './broker.js';
import { benchBusCost } from './bus-cost.js';
import { benchPrograms } from './chain.js';
import { benchMeters500 } from './meters-500.js';
import { benchMint } from './mint.js';
import { benchOracle } from './oracle.js';
import { benchOutage } from './outage.js';
import { benchPlanner } from './planner.js';
import { benchScan } from './scan.js';
import { benchSpoolStart } from './spool-start.js';
import { type BenchRow, tableOf } from './table.js';
import { benchTwoBrokers } from './two-brokers.js';
import { benchWrites } from './writes.js';

interface Section {
  readonly title: string;
  /** `folder` is on the project's disk; the caller removes it afterwards. */
  readonly run: (folder: string) => Promise<readonly BenchRow[]>;
}

const SECTIONS: Readonly<Record<string, Section>> = {
  programs: {
    title: 'On-chain programs: LiteSVM, the committed .so, 256 meters from the real year, 2 of 3 attestors, v0',
    run: benchPrograms,
  },
  oracle: {
    title: 'Oracle hot path: packets of 20, beside bare libsodium on the same messages in turn (medians)',
    run: benchOracle,
  },
  broker: {
    title: 'Broker: 4 publishers with 64 in flight and 1 subscriber, beside Mosquitto in turn (medians)',
    run: benchBroker,
  },
  ack: {
    title: 'Gateway to ack: 4 gateways of 5 meters, broker and oracle as processes, 15 of 16 messages are readings',
    run: benchAck,
  },
  planner: {
    title:
      'Read planner: one poll by each shipped profile, 9,600 baud 8N1, 50 ms turnaround, beside one read a gap-free block',
    run: benchPlanner,
  },
  'bus-cost': {
    title:
      'Bus: CPU time of a read of 80 registers at 9,600 baud, character by character on a pty, whole process, in turn (medians)',
    run: benchBusCost,
  },
  scan: {
    title: 'Scan: five unknown meters of different speeds and units on one pty, by the command as a process',
    run: benchScan,
  },
  'spool-start': {
    title: 'Spool: starts on 1,000,000 records, in a process that has loaded the gateway (medians, highest memory)',
    run: benchSpoolStart,
  },
  outage: {
    title: 'Spool: 72 simulated hours without a broker, 10 meters at 1 Hz, bound 256 MB, then sent',
    run: benchOutage,
  },
  writes: {
    title: 'Spool: pages of 4 KiB and syncs that a card gets, 5 meters at 10 s',
    run: benchWrites,
  },
  'meters-500': {
    title:
      'Fleet: 500 meters of Modbus TCP, 30 registers each, once a second, signed and synced, beside Telegraf in turn (medians)',
    run: (folder) => benchMeters500(folder),
  },
  'two-brokers': {
    title: 'Fleet: 50 meters once a second, the first of two brokers dead for 3 minutes of real time',
    run: (folder) => benchTwoBrokers(folder),
  },
  mint: {
    title: 'The whole system on embedded defaults: 3 homes, 8 windows at speed 60 and the closing one',
    run: benchMint,
  },
};

async function main(names: readonly string[]): Promise<void> {
  const unknown = names.find((name) => !Object.hasOwn(SECTIONS, name));
  if (unknown !== undefined) {
    console.error(`no bench "${unknown}": give one of ${Object.keys(SECTIONS).join(', ')}, or none for all`);
    process.exitCode = 2;
    return;
  }
  const { versions, platform, arch } = process;
  console.log(`npm run bench on ${cpus().length} cores, Node ${versions.node}, ${platform}-${arch}`);
  for (const [name, { title, run }] of Object.entries(SECTIONS)) {
    if (names.length > 0 && !names.includes(name)) continue;
    console.log(`\n${name} - ${title}`);
    // Not in the system's temporary folder: that folder may be memory, where a sync costs nothing.
    mkdirSync(join(projectRoot, '.gridtokenx'), { recursive: true });
    const folder = mkdtempSync(join(projectRoot, '.gridtokenx', 'bench-'));
    try {
      for (const line of tableOf(await run(folder))) console.log(line);
    } catch (error) {
      // The other benches still run.
      console.error(`${name}: ${errorText(error)}`);
      process.exitCode = 1;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

if (process.argv[1]?.endsWith('bench/dist/main.js')) await main(process.argv.slice(2));
