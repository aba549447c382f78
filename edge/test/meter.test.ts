import {
  decodePayload,
  EventCode,
  ed25519Signer,
  Kind,
  type Payload,
  Quality,
  Role,
  Source,
  windowOf,
} from '@gridtokenx/protocol';
import { MemoryDisk } from '@gridtokenx/testing-kit/memory-disk';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualTime } from '@gridtokenx/testing-kit/virtual-time';
import { describe, expect, test } from 'vitest';
import { openSpool } from '../src/adapters/spool/spool.js';
import { Meter, type MeterOptions } from '../src/domain/metering/meter.js';
import { type MeterSample, ReadError, ReadFailure } from '../src/domain/ports.js';
import { MeterLog } from '../src/domain/signing/meter-log.js';
import { FRESH_STATE } from '../src/domain/signing/meter-state.js';
import { RecoveryScan } from '../src/domain/signing/recovery.js';
import { METER, METER_HEX, NETWORK } from './support/messages.js';

const START = Date.UTC(2026, 0, 1, 9, 0);
const MINUTE = 60_000;

interface Registers {
  importWh: number;
  exportWh: number;
  powerW?: number;
}

/** A meter that is polled every minute by virtual time; `read` gives the registers or throws. */
async function setUp(
  read: (nowMs: number) => Registers,
  speed = 1,
  readSerial?: () => Promise<string | null>,
  more: Pick<MeterOptions, 'leastPeriod' | 'keepFrames'> = {},
) {
  const time = new VirtualTime(START, speed);
  const { spool } = await openSpool(new MemoryDisk(), '/spool', time, () => {});
  const messages: Payload[] = [];
  const counts = new Map<string, number>();
  const counters = { add: (name: string) => void counts.set(name, (counts.get(name) ?? 0) + 1) };
  const scan = new RecoveryScan();
  const recovered = scan.result(METER_HEX);
  const log = new MeterLog({ networkId: NETWORK, meterId: METER }, FRESH_STATE, recovered, {
    signer: ed25519Signer(new Uint8Array(32).fill(1)),
    spool,
    clock: time.clock,
    counters,
    store: async () => {},
    committed: ({ payload }) => messages.push(decodePayload(payload)),
  });
  const enrolment = await log.enrol((seq) => ({
    kind: Kind.enrolment,
    networkId: NETWORK,
    meterId: METER,
    seq,
    owner: new Uint8Array(32),
    importWh: 0n,
    exportWh: 0n,
    zone: 1,
    source: Source.solar,
    role: Role.point,
    deviceSigned: false,
    keyEpoch: 0,
    window: windowOf(START),
  }));
  scan.visit(enrolment);
  const reader = {
    read: async (): Promise<MeterSample> => {
      const timeMs = time.clock.nowMs();
      const { importWh, exportWh, powerW = 0 } = read(timeMs);
      const values = { powerW, voltageDv: null, frequencyChz: null, raw: new Uint8Array(9) };
      return { timeMs, uncertaintyMs: 5, importWh: BigInt(importWh), exportWh: BigInt(exportWh), ...values };
    },
  };
  const meter = new Meter({
    name: 'main',
    profileName: 'test',
    log,
    recovered: scan.result(METER_HEX),
    reader,
    readSerial,
    serial: '0042-A',
    limits: { importLimitW: 10_000, exportLimitW: 10_000, stepWh: 2 },
    plan: { pollMs: MINUTE, leadMs: 20_000 },
    clock: time.clock,
    real: time,
    logger: quietLog,
    counters,
    ...more,
  });
  const stop = new AbortController();
  let mayClose = true;
  const done = meter.run(() => mayClose, stop.signal);
  const end = async () => {
    stop.abort();
    await time.advance(0);
    await done;
  };
  const of = <K extends Payload['kind']>(kind: K) =>
    messages.flatMap((p) => (p.kind === kind ? [p as Extract<Payload, { kind: K }>] : []));
  const allowClosing = (allowed: boolean) => {
    mayClose = allowed;
  };
  return { time, meter, of, counts, end, allowClosing };
}

const rising = (nowMs: number): Registers => ({ importWh: Math.floor((nowMs - START) / 1000), exportWh: 0 });

describe('a meter', () => {
  test('is read on the grid and before each boundary, and each window is closed at its end', async () => {
    const run = await setUp(rising);
    await run.time.advance(31 * MINUTE);
    const offsets = run.of(Kind.reading).map(({ timeMs }) => (Number(timeMs) - START) / 1000);
    const expected = Array.from({ length: 31 }, (_, i) => (i + 1) * 60);
    expect(offsets).toEqual([...expected, 880, 1780].sort((a, b) => a - b));
    expect(
      run.of(Kind.statement).map(({ window, importWh, quality }) => [window - windowOf(START), importWh, quality]),
    ).toEqual([
      [0, 880n, Quality.gatewaySigned],
      [1, 1780n, Quality.gatewaySigned],
    ]);
    await run.end();
  });

  test('at sixty times the speed has the same rhythm', async () => {
    const run = await setUp(rising, 60);
    await run.time.advance(31_000);
    expect(run.of(Kind.reading).length).toBe(33);
    expect(run.of(Kind.statement).map(({ quality }) => quality)).toEqual([
      Quality.gatewaySigned,
      Quality.gatewaySigned,
    ]);
    await run.end();
  });

  test('that does not answer at the boundary is asked again until it does, else the window is stale', async () => {
    let dead = (_nowMs: number) => false;
    const run = await setUp((nowMs) => {
      if (dead(nowMs)) throw new ReadError(ReadFailure.timeout, 'no answer');
      return rising(nowMs);
    });
    dead = (nowMs) => nowMs > START + 850_000 && nowMs < START + 890_000;
    await run.time.advance(16 * MINUTE);
    expect(run.of(Kind.statement).map(({ importWh, quality }) => [importWh, quality])).toEqual([
      [890n, Quality.gatewaySigned],
    ]);
    expect(run.meter.problems()).toEqual([]);
    dead = (nowMs) => nowMs > START + 1_700_000;
    await run.time.advance(15 * MINUTE);
    expect(run.of(Kind.statement).at(-1)?.quality).toBe(Quality.gatewaySigned | Quality.stale);
    expect(run.meter.problems()).toEqual(['meter main: no answer']);
    await run.end();
  });

  test('whose windows may not be closed yet gets all its statements later, in order', async () => {
    const run = await setUp(rising);
    run.allowClosing(false);
    await run.time.advance(32 * MINUTE);
    expect(run.of(Kind.statement)).toEqual([]);
    run.allowClosing(true);
    await run.time.advance(2 * MINUTE);
    expect(
      run
        .of(Kind.statement)
        .map(({ window, importWh, readingCount }) => [window - windowOf(START), importWh, readingCount]),
    ).toEqual([
      [0, 880n, 34],
      [1, 1780n, 0],
    ]);
    await run.end();
  });

  test('whose registers rise faster than its connection allows is not believed', async () => {
    const run = await setUp((nowMs) => ({ importWh: nowMs === START + 3 * MINUTE ? 1_000_000 : 5, exportWh: 0 }));
    await run.time.advance(5 * MINUTE);
    expect(run.of(Kind.reading).map(({ importWh }) => importWh)).toEqual([5n, 5n, 5n, 5n]);
    expect(run.counts.get('poll_errors')).toBe(1);
    await run.end();
  });

  test('that its line cannot poll so often is polled less often, and says so', async () => {
    const least = { ms: 2.5 * MINUTE, because: 'line' } as const;
    const { time, of, meter, end } = await setUp(() => ({ importWh: 1, exportWh: 0 }), 1, undefined, {
      leastPeriod: () => least,
    });
    await time.advance(13 * MINUTE);
    expect(of(Kind.reading)).toHaveLength(5);
    expect(meter.problems()[0]).toContain('is polled every 150 s, not every 60 s');
    await end();
  });

  test('keeps what was on the line when its registers fall, once for each fall', async () => {
    let kept = 0;
    const { time, end } = await setUp(
      (now) => ({ importWh: now < START + 3 * MINUTE ? 100 : 5, exportWh: 0 }),
      1,
      undefined,
      {
        keepFrames: async () => void kept++,
      },
    );
    await time.advance(2 * MINUTE);
    expect(kept).toBe(0);
    await time.advance(8 * MINUTE);
    expect(kept).toBe(1);
    await end();
  });

  test('that reads lower once is read again; one that stays lower is in discontinuity', async () => {
    let glitches = 0;
    let fallen = false;
    const run = await setUp((nowMs) => {
      if (fallen) return { importWh: 3, exportWh: 4 };
      return nowMs === START + 2 * MINUTE && glitches++ < 2
        ? { importWh: 1, exportWh: 0 }
        : { importWh: 50, exportWh: 60 };
    });
    await run.time.advance(3 * MINUTE);
    expect(run.of(Kind.reading).map(({ importWh, quality }) => [importWh, quality])).toEqual(Array(3).fill([50n, 64]));
    fallen = true;
    await run.time.advance(13 * MINUTE);
    const [event] = run.of(Kind.event);
    expect(event).toMatchObject({ code: EventCode.registerDiscontinuity, value: 60n });
    expect(run.of(Kind.event)).toHaveLength(1);
    expect(run.of(Kind.reading).at(-1)).toMatchObject({ importWh: 3n, quality: 64 | Quality.discontinuity });
    expect(run.of(Kind.statement)).toEqual([]);
    expect(run.meter.problems()[0]).toContain('replace-meter');
    await run.end();
  });
});

test('registers that stand still under power are an event and a line, and are signed as the meter gives them', async () => {
  const run = await setUp(() => ({ importWh: 77, exportWh: 5, powerW: 3_000 }));
  await run.time.advance(20 * MINUTE);
  expect(run.of(Kind.event).map(({ code, detail }) => [code, detail])).toEqual([[EventCode.selfTestFailed, 1]]);
  expect(run.meter.problems()[0]).toContain('0.077/0.005 kWh while it showed power for');
  expect(run.of(Kind.reading).every(({ importWh }) => importWh === 77n)).toBe(true);
  expect(run.of(Kind.statement)).toHaveLength(1);
  await run.end();
});

describe('the meter that answers', () => {
  const events = (run: Awaited<ReturnType<typeof setUp>>) =>
    run.of(Kind.event).map(({ code, detail }) => [code, detail]);

  test('is asked for its serial number at the start, after silence and once an hour', async () => {
    let asked = 0;
    let isSilent = false;
    const read = (nowMs: number): Registers => {
      if (isSilent) throw new ReadError(ReadFailure.timeout, 'no answer');
      return rising(nowMs);
    };
    const run = await setUp(read, 1, async () => {
      asked++;
      return '42A';
    });
    await run.time.advance(59 * MINUTE);
    expect(asked).toBe(1);
    await run.time.advance(3 * MINUTE);
    expect(asked).toBe(2);
    isSilent = true;
    await run.time.advance(2 * MINUTE);
    expect(asked).toBe(2);
    isSilent = false;
    await run.time.advance(3 * MINUTE);
    expect(asked).toBe(3);
    // Written in another way than on the nameplate, which is no fault.
    expect(run.meter.problems()).toEqual([]);
    expect(events(run)).toEqual([]);
    await run.end();
  });

  test('that was exchanged for another is noticed before anything of it is signed as good', async () => {
    let serial = '42A';
    const run = await setUp(rising, 1, async () => serial);
    await run.time.advance(20 * MINUTE);
    serial = '43A';
    await run.time.advance(50 * MINUTE);
    expect(events(run)).toEqual([[EventCode.registerDiscontinuity, 2]]);
    const at = run.of(Kind.event)[0]?.timeMs ?? 0n;
    const later = run.of(Kind.reading).filter(({ timeMs }) => timeMs >= at);
    expect(later.length).toBeGreaterThan(5);
    expect(later.every(({ quality }) => (quality & Quality.discontinuity) !== 0)).toBe(true);
    expect(run.of(Kind.statement).length).toBeGreaterThan(0);
    expect(run.of(Kind.statement).every(({ window }) => window < windowOf(Number(at)))).toBe(true);
    expect(run.meter.problems().join()).toContain('another meter answers');
    await run.end();
  });

  test('is not taken for another after one odd answer, a refusal or none', async () => {
    const answers: (() => string | null)[] = [
      () => '42A',
      () => '77',
      () => '42A',
      () => {
        throw new ReadError(ReadFailure.exception, 'exception 2');
      },
      () => null,
    ];
    const run = await setUp(rising, 1, async () => (answers.shift() ?? (() => '42A'))());
    await run.time.advance(5 * 61 * MINUTE);
    expect(answers).toEqual([]);
    expect(events(run)).toEqual([]);
    await run.end();
  });

  test('whose number is not the configured one works, and a person is told', async () => {
    const run = await setUp(rising, 1, async () => '99');
    await run.time.advance(20 * MINUTE);
    expect(run.meter.problems()).toEqual([
      'meter main: it says that its serial number is 99, the configuration says 0042-A: correct the one that is wrong',
    ]);
    expect(run.of(Kind.statement)).toHaveLength(1);
    await run.end();
  });
});
