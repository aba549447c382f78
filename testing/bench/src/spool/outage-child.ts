import { asWindow, decodePayload, Kind, type MeterWatermark, windowOf } from '@gridtokenx/protocol';
import { keepHeapSmall, systemClock } from '@gridtokenx/runtime/node';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { nodeDisk } from '#edge/adapters/disk/node-disk.js';
import { SendScheduler } from '#edge/domain/delivery/send-scheduler.js';
import { SeqRuns } from '#edge/domain/seq-runs.js';
import { type BenchGateway, ORACLE, openBenchGateway, sampleOf } from './gateway.js';

export interface Outage {
  readonly readings: number;
  readonly kept: number;
  /** Seqs that are neither in the spool nor declared. */
  readonly undeclared: number;
  /** Wh that the newest registers in the spool lack. */
  readonly missingWh: number;
  readonly bytes: number;
  /** Highest resident memory from hour 12 to the end, less that at hour 12. */
  readonly growthMb: number;
  readonly drainedPerSecond: number;
  /** Readings that were sent before the last statement of the backlog. */
  readonly readingsFirst: number;
  readonly statements: number;
}

const HOUR_S = 3_600;
/** Readings of each meter that are signed between two waits for the disk. */
const STRIDE_S = 50;
const START_MS = Date.UTC(2026, 0, 1);

async function signAll(gateway: BenchGateway, hours: number, isKnown: boolean, time: VirtualClock): Promise<number> {
  let [base, peak] = [0, 0];
  for (let second = 0; second < hours * HOUR_S; second += STRIDE_S) {
    const work: Promise<unknown>[] = [];
    for (let s = second; s < second + STRIDE_S; s++)
      for (const { journal } of gateway.meters) {
        const sample = sampleOf(START_MS + 1_000 * s, 1_000 * s, isKnown ? 10 : null, BigInt(s));
        work.push(journal.reading(sample, true));
      }
    await Promise.all(work);
    await time.advance(1_000 * STRIDE_S);
    if (isKnown) for (const { journal } of gateway.meters) await journal.closeDue(START_MS + 1_000 * second);
    await gateway.upkeep.run(gateway.meters);
    if (second % 600 === 0) {
      const rss = process.memoryUsage().rss / 1e6;
      if (second <= 12 * HOUR_S) base = rss;
      peak = Math.max(second >= 12 * HOUR_S ? rss : 0, peak);
    }
  }
  return Math.max(0, peak - base);
}

/** Counts what is there and what is declared. */
async function judge({ spool, meters }: BenchGateway) {
  const found = { kept: 0, undeclared: 0, newestWh: 0 };
  for (const { id } of meters) {
    const declared = new SeqRuns();
    const highest = spool.highest(id);
    for (let from = 1n; ; ) {
      const messages = await spool.read(id, from, 5_000);
      const last = messages.at(-1);
      if (!last) break;
      for (const { payload } of messages) {
        const content = decodePayload(payload);
        if (content.kind === Kind.reading) {
          found.kept++;
          found.newestWh = Math.max(found.newestWh, Number(content.importWh));
        }
        if (content.kind === Kind.event && content.code === 2 && content.detail > 0)
          declared.addRun(Number(content.value), Number(content.value) + content.detail - 1);
      }
      from = last.seq + 1n;
    }
    for (const { first, last } of spool.missing(id, 1n, highest))
      for (const run of declared.missing(Number(first), Number(last))) found.undeclared += run.last - run.first + 1;
  }
  return found;
}

/** Sends everything to an oracle that acknowledges at once what it has without a hole. */
async function drain({ spool, meters, acks }: BenchGateway) {
  const scheduler = new SendScheduler({
    ...{ spool, meters: meters.map(({ id }) => id), excluded: () => false, lag: () => null },
    acknowledged: (id) => acks.acknowledged(id),
  });
  scheduler.connected(systemClock.monotonicMs());
  const stored = new Map(meters.map(({ id }) => [id, new SeqRuns()]));
  for (const { id } of meters)
    for (const { first, last } of spool.missing(id, 1n, spool.highest(id)))
      stored.get(id)?.addRun(Number(first), Number(last));
  const figures = { sent: 0, readings: 0, statements: 0, readingsFirst: 0 };
  const began = performance.now();
  let timeMs = 1;
  for (let packet = await scheduler.next(); packet; packet = await scheduler.next()) {
    figures.sent += packet.messages.length;
    for (const { seq, kind, meterId } of packet.messages) {
      stored.get(meterId)?.add(Number(seq));
      if (kind === Kind.reading) figures.readings++;
      else if (kind === Kind.statement) {
        figures.statements++;
        figures.readingsFirst = figures.readings;
      }
    }
    const marks = meters.map(({ id }): [string, MeterWatermark] => {
      const through = firstRun(stored.get(id));
      return [id, { storedThrough: through, highestSeen: through, highestWindow: asWindow(windowOf(START_MS)) }];
    });
    acks.accept(ORACLE, ack(++timeMs, new Map(marks)));
  }
  return { ...figures, seconds: (performance.now() - began) / 1_000 };
}

const firstRun = (runs: SeqRuns | undefined): bigint => {
  for (const { last } of runs ?? []) return BigInt(last);
  return 0n;
};
const ack = (timeMs: number, meters: ReadonlyMap<string, MeterWatermark>) => ({
  ...{ gateway: new Uint8Array(32), ledgerId: new Uint8Array(16), timeMs, meters, refused: [] },
});

async function main([folder = '', hours = '72', clock = 'known', cap = '0']: readonly string[]): Promise<void> {
  keepHeapSmall();
  const time = new VirtualClock({ startAtMs: START_MS });
  const isKnown = clock === 'known';
  const gateway = await openBenchGateway({
    ...{ disk: nodeDisk, folder, meters: 10, spoolMaxBytes: Number(cap), commitMs: 0, time, clock: systemClock },
  });
  const growthMb = await signAll(gateway, Number(hours), isKnown, time);
  const found = await judge(gateway);
  const bytes = gateway.spool.bytes();
  const drained = await drain(gateway);
  const readings = 10 * Number(hours) * HOUR_S;
  process.send?.({
    ...{ readings, kept: found.kept, undeclared: found.undeclared, bytes, growthMb },
    missingWh: Number(hours) * HOUR_S - 1 - found.newestWh,
    drainedPerSecond: drained.sent / drained.seconds,
    ...{ readingsFirst: drained.readingsFirst, statements: drained.statements },
  } satisfies Outage);
  process.exit();
}

if (process.argv[1]?.endsWith('outage-child.js')) await main(process.argv.slice(2));
