import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeRecord } from '../src/adapters/spool/record.js';
import { bytesOf } from '../src/adapters/spool/segment.js';
import { openSpool } from '../src/adapters/spool/spool.js';
import { RecoveryScan } from '../src/domain/signing/recovery.js';
import { parseGatewayConfig } from '../src/wiring/config.js';
import { diskBudget } from '../src/wiring/sizes.js';
import { METER_HEX, message } from './support/messages.js';

const DIR = '/spool';
const kindOf = (seq: number) => (seq % 7 === 0 ? 'statement' : 'reading');

/** Opens a spool with five records to a segment, and a scan beside it. */
async function open(disk: CrashDisk) {
  const scan = new RecoveryScan();
  let visited = 0;
  const recovery = {
    visit: (one: Parameters<RecoveryScan['visit']>[0]) => {
      visited++;
      scan.visit(one);
    },
    snapshot: () => scan.snapshot(),
    restore: (text: string) => scan.restore(text),
  };
  const opened = await openSpool(disk, DIR, new VirtualClock(), recovery, bytesOf(5));
  return { ...opened, visited, scan };
}

const shown = ({ scan, spool }: Awaited<ReturnType<typeof open>>, through: bigint) => {
  const { open: span, lastStatement, declared: _declared, refused: _refused, ...rest } = scan.result(METER_HEX);
  const missing = spool.missing(METER_HEX, 1n, through);
  return { ...rest, stated: lastStatement?.seq, root: span.merkle.root(), readings: span.readings, missing };
};

const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 25 });

test('a start with index and checkpoint finds what a start without them finds, and visits fewer records', async () => {
  await fc.assert(
    fc.asyncProperty(sizes, fc.array(fc.nat(), { maxLength: 4 }), async (batches, damage) => {
      const disk = new CrashDisk();
      const first = await open(disk);
      let seq = 0;
      for (const size of batches)
        await first.spool.append(Array.from({ length: size }, () => message(BigInt(++seq), kindOf(seq))));
      await first.spool.close();
      const side = (name: string) => /\.idx$|checkpoint$/.test(name);
      const bare = CrashDisk.fromImage(new Map([...disk.image()].filter(([name]) => !side(name))));
      const all = await open(bare);
      expect(all.visited).toBe(seq);
      const with_ = await open(CrashDisk.fromImage(disk.image()));
      expect(with_.visited).toBeLessThanOrEqual(seq);
      expect(shown(with_, BigInt(seq))).toEqual(shown(all, BigInt(seq)));
      // A side file with a flipped bit is made again.
      const image = disk.image();
      const files = [...image.keys()].filter(side).sort();
      for (const at of damage) {
        const bytes = image.get(files[at % files.length] ?? '');
        if (bytes) bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ (1 << (at & 7));
      }
      expect(shown(await open(CrashDisk.fromImage(image)), BigInt(seq))).toEqual(shown(all, BigInt(seq)));
    }),
    { numRuns: 100 },
  );
});

test('a long spool is not visited again after the first start that had to', async () => {
  const disk = new CrashDisk();
  const { spool } = await openSpool(disk, DIR, new VirtualClock(), () => {}, bytesOf(5));
  for (let seq = 1; seq <= 200; seq++) await spool.append([message(BigInt(seq))]);
  expect((await open(disk)).visited).toBe(200);
  expect((await open(disk)).visited).toBe(0);
});

test('a segment of a later version stays as it is, is named, and takes no record', async () => {
  const later = Buffer.concat([encodeRecord(0n, Uint8Array.of(0x47, 0x58, 3, 0)), encodeRecord(4n, message(4n).bytes)]);
  const disk = CrashDisk.fromImage(new Map([[`${DIR}/r-00000001.seg`, later]]));
  const { spool } = await open(disk);
  expect(spool.has(METER_HEX, 4n)).toBe(false);
  expect(spool.problem()).toContain('later software');
  await spool.append([message(9n)]);
  await spool.trim(0, () => 100n);
  expect(Buffer.from(disk.files.get(`${DIR}/r-00000001.seg`)?.cache ?? [])).toEqual(later);
  expect(spool.has(METER_HEX, 9n)).toBe(true);
});

test('the bytes of a configuration are shared: 64 MiB, or 7 days at its rate', () => {
  const meter = (name: string, unit: number, seconds: number) =>
    `  - {name: ${name}, manufacturer: E, model: S, serial: 1, profile: eastron-sdm630, bus: b, unit: ${unit}, poll_seconds: ${seconds}, owner: '11111111111111111111111111111111', zone: 1, export_limit_w: 1, import_limit_w: 1}`;
  const config = (seconds: number, extra = '') =>
    parseGatewayConfig(
      [
        "network_id: '0102030405060708'",
        'data_dir: data',
        'name: g',
        'broker: {url: "mqtt://localhost:1883", name: b}',
        "oracles: [{key: '11111111111111111111111111111112'}]",
        extra,
        'buses: [{transport: tcp, name: b, host: localhost, port: 502}]',
        'meters:',
        ...[1, 2, 3, 4, 5].map((unit) => meter(`m${unit}`, unit, seconds)),
      ].join('\n'),
      'config.yaml',
    );
  const slow = diskBudget(config(60));
  expect(slow.spoolBytes).toBe((48 << 20) - (256 << 10));
  expect(slow.hourBytes).toBe(512 << 10);
  // Two messages with further values come each minute beside the readings.
  const week = 5 * 187 * (1 + 2 / 60) * 7 * 86_400;
  expect(diskBudget(config(1)).spoolBytes).toBeGreaterThan(week);
  const small = diskBudget(config(1, `spool_max_bytes: ${1 << 20}`));
  expect(small.spoolBytes + 32 * small.hourBytes).toBeLessThanOrEqual(1 << 20);
  expect(small.segmentBytes).toBeLessThan(small.spoolBytes / 16);
});
