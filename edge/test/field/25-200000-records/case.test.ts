/**
 * Plays a gateway that was without a broker for days: its spool holds 200,000 records that no oracle has, as software of
 * version 1 wrote them. It grew without a bound, and each start held every record.
 */
import { GapReason } from '@gridtokenx/protocol';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { expect, test } from 'vitest';
import { encodeRecord } from '../../../src/adapters/spool/record.js';
import { openSpool } from '../../../src/adapters/spool/spool.js';
import type { SignedMessage } from '../../../src/domain/signed-message.js';
import { RecoveryScan } from '../../../src/domain/signing/recovery.js';
import { SEGMENT_BYTES } from '../../../src/wiring/sizes.js';
import { METER_HEX, message } from '../../support/messages.js';

const RECORDS = 200_000;
const IN_SEGMENT = 5_600;
const BOUND = 16 << 20;

/** Writes segments without a version record and without side files. */
function directoryOfVersion1(): CrashDisk {
  const image = new Map<string, Uint8Array>();
  for (let first = 1, number = 1; first <= RECORDS; first += IN_SEGMENT, number++) {
    const count = Math.min(IN_SEGMENT, RECORDS - first + 1);
    const records = Array.from({ length: count }, (_, i) =>
      encodeRecord(BigInt(first + i), message(BigInt(first + i)).bytes),
    );
    image.set(`/spool/r-${String(number).padStart(8, '0')}.seg`, Buffer.concat(records));
  }
  return CrashDisk.fromImage(image);
}

async function start(disk: CrashDisk) {
  const scan = new RecoveryScan();
  let visited = 0;
  const recovery = {
    visit: (one: SignedMessage) => {
      visited++;
      scan.visit(one);
    },
    snapshot: () => scan.snapshot(),
    restore: (text: string) => scan.restore(text),
  };
  const opened = await openSpool(disk, '/spool', new VirtualClock(), recovery, SEGMENT_BYTES);
  return { ...opened, visited, recovered: scan.result(METER_HEX) };
}

test('200,000 records open without loss, once slowly; then the bound holds and every loss has a name', async () => {
  const disk = directoryOfVersion1();
  const first = await start(disk);
  expect(first.damage).toEqual({ damagedBytes: 0, tornBytes: 0 });
  expect([first.visited, first.spool.count(METER_HEX, 1n, BigInt(RECORDS))]).toEqual([RECORDS, RECORDS]);
  const { open, lastGood } = first.recovered;
  expect([open.merkle.count, lastGood?.importWh]).toEqual([RECORDS, BigInt(RECORDS)]);
  // The readings of 56 hours are one entry for each window.
  expect(open.readings.length).toBeLessThan(300);

  const second = await start(disk);
  expect(second.visited).toBe(0);
  expect(second.recovered.open.merkle.root()).toEqual(open.merkle.root());
  expect(second.recovered.prev).toEqual(first.recovered.prev);

  const { spool } = second;
  await spool.append([message(BigInt(RECORDS + 1))]);
  await spool.trim(BOUND, () => 0n);
  expect(spool.bytes()).toBeLessThanOrEqual(BOUND);
  const lost = spool.takeLost();
  expect(lost.every(({ reason }) => reason === GapReason.thinned)).toBe(true);
  const seqs = lost.reduce((sum, { first: from, last }) => sum + Number(last - from) + 1, 0);
  expect(seqs + spool.count(METER_HEX, 1n, 1_000_000n)).toBe(RECORDS + 1);
  expect(spool.has(METER_HEX, BigInt(RECORDS + 1))).toBe(true);
}, 120_000);
