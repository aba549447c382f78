import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, it } from 'vitest';
import { makeClient } from '../../src/adapters/modbus/library.js';
import { Bus } from '../../src/domain/bus/bus.js';
import { RtuFraming } from '../../src/domain/bus/framing.js';
import { rawNetworkSpeed, serialSpeed } from '../../src/domain/bus/line.js';
import { busProblems } from '../../src/domain/bus/messages.js';
import { type Line, LineGone } from '../../src/domain/bus/ports.js';
import { ReplyQuarantine, USUAL_RULES } from '../../src/domain/bus/reply-quarantine.js';

const CHOICES = Array.from({ length: 8 }, (_, i) => ({ address: 0, count: 4 + i }));

/** Builds a bus whose line `open` opens, and on which no unit ever answers. */
function setUp(open: (attempt: number) => Promise<Line>, isSerial = true) {
  const time = new VirtualClock();
  let attempts = 0;
  const givenUp: string[] = [];
  const bus = new Bus({
    log: quietLog,
    quarantine: new ReplyQuarantine(USUAL_RULES),
    name: 'bus',
    open: () => open(++attempts),
    makeClient,
    clock: time,
    random: { bytes: (n) => new Uint8Array(n), fraction: () => 0.99 },
    speed: isSerial ? serialSpeed(9_600, 'none', 1) : rawNetworkSpeed,
    shapes: true,
    makeFraming: (quarantine) => new RtuFraming(quarantine),
    requestMs: 100,
    connectMs: 1_000,
    minTimeoutMs: 100,
    restMs: 0,
    giveUp: (reason) => givenUp.push(reason),
  });
  const read = async (unit = 1) => {
    const result = bus.read(unit, 3, CHOICES, { periodMs: 1_000 }).then(
      () => '',
      (error: Error) => error.message,
    );
    await time.advance(1_200);
    return result;
  };
  return { time, bus, read, givenUp, attempts: () => attempts };
}

const silentLine = (more: Partial<Line> = {}): Line => ({
  write: async () => {},
  read: () => new Uint8Array(0),
  onArrival: () => {},
  close: async () => {},
  ...more,
});
const locked = () => Promise.reject(new Error('Error: Cannot lock port'));

describe('a connection', () => {
  it('that is locked after it worked is given up after a minute, and not before', async () => {
    const broken = silentLine({
      write: async () => {
        throw new LineGone('unplugged');
      },
    });
    const { read, time, givenUp, bus } = setUp((attempt) => (attempt === 1 ? Promise.resolve(broken) : locked()));
    expect(await read()).toContain('unplugged');
    for (let second = 0; second < 50; second++) await read();
    expect(givenUp).toEqual([]);
    expect(busProblems(bus, time.monotonicMs())[0]).toContain('another program uses it');
    for (let second = 0; second < 20; second++) await read();
    expect(givenUp[0]).toContain('bus cannot be opened any more: the serial port is locked');
  });

  it('that was locked from the start is tried again and never given up: another program may end', async () => {
    const { read, givenUp, attempts } = setUp(locked);
    for (let second = 0; second < 200; second++) await read();
    expect(givenUp).toEqual([]);
    expect(attempts()).toBeGreaterThan(20);
    expect(attempts()).toBeLessThan(200);
  });

  it('over a network on which nothing is heard is opened anew after three requests; a serial one is not', async () => {
    const network = setUp(() => Promise.resolve(silentLine()), false);
    const serial = setUp(() => Promise.resolve(silentLine()), true);
    for (const unit of [1, 2, 3, 4, 5, 6, 7]) {
      await network.read(unit);
      await serial.read(unit);
    }
    expect(network.attempts()).toBeGreaterThanOrEqual(3);
    expect(serial.attempts()).toBe(1);
  });

  it('that opens too late is closed and not used', async () => {
    let closed = 0;
    let arrive = (_line: Line) => {};
    const { read, bus } = setUp(
      () =>
        new Promise((resolve) => {
          arrive = resolve;
        }),
    );
    expect(await read()).toContain('no connection in time');
    arrive(silentLine({ close: async () => void closed++ }));
    await expect.poll(() => closed).toBe(1);
    expect(bus.stats.counts).toMatchObject({ connects: 0, connect_errors: 1 });
  });

  it('is closed before it is opened again', async () => {
    const order: string[] = [];
    const { read, time } = setUp(async (attempt) => {
      order.push(`open ${attempt}`);
      return silentLine({
        read: () => {
          throw new LineGone('unplugged');
        },
        close: () =>
          new Promise((resolve) => {
            time.after(3_000, () => {
              order.push(`closed ${attempt}`);
              resolve();
            });
          }),
      });
    });
    for (let i = 0; i < 6; i++) await read();
    expect(order.slice(0, 3)).toEqual(['open 1', 'closed 1', 'open 2']);
  });

  it('that can never be closed holds up no read, and is given up', async () => {
    const { read, givenUp, attempts } = setUp(async () =>
      silentLine({
        read: () => {
          throw new LineGone('unplugged');
        },
        close: () => new Promise(() => {}),
      }),
    );
    expect(await read()).toContain('unplugged');
    expect(await read()).toContain('cannot be closed');
    for (let second = 0; second < 70; second++) expect(await read()).not.toBe('');
    expect(attempts()).toBe(1);
    expect(givenUp[0]).toContain('cannot be closed');
  });
});
