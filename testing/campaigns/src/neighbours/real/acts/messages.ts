import { base58Encode, GapReason, MAX_U32 } from '@gridtokenx/protocol';
import { subscribePacket } from '../../attacks/wire.js';
import { WINDOW_MS } from '../cast.js';
import type { Turncoat } from '../turncoat.js';

/** One kind of misuse, until the turncoat's deadline. */
export type Act = (home: Turncoat) => Promise<void>;

const PAUSE_MS = 20;
const HOUR_MS = 3_600_000n;
const SIGNED_AT_ONCE = 1_000;
/** One reading a minute for a week. */
const WEEK_OF_READINGS = 10_080;
/** As many filters as fit into a packet that a broker accepts. */
const FILTERS_PER_PACKET = 30;
const MAX_I64 = 2n ** 63n - 1n;

const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

/** Sends readings in every order but their signing order, and twice. */
const order: Act = async (home) => {
  while (!home.isOver) {
    const messages = times(SIGNED_AT_ONCE, () => home.reading());
    const shuffled = home.random.chance(0.5) ? home.random.shuffled(messages) : messages.reverse();
    await home.send('backfill', [...shuffled, ...shuffled.slice(0, SIGNED_AT_ONCE / 4)]);
    await home.parts.clock.sleep(PAUSE_MS);
  }
};

/** Sends times that are ahead, before everything, or beyond a store's range; some with an unknown uncertainty. */
const time: Act = async (home) => {
  const now = () => BigInt(Math.floor(home.now()));
  const dated = [
    () => now() + 23n * HOUR_MS,
    () => now() + 25n * HOUR_MS,
    () => now() + 61_000n,
    () => MAX_I64,
    () => -MAX_I64,
    () => 0n,
    () => -1n,
    () => 8_640_000_000_000_001n,
    () => now() - 400n * 24n * HOUR_MS,
  ];
  while (!home.isOver) {
    const messages = times(200, () => {
      const timeUncertaintyMs = home.random.chance(0.5) ? null : home.random.pick([0, 10, MAX_U32 - 1]);
      return home.reading({ timeMs: home.random.pick(dated)(), timeUncertaintyMs });
    });
    await home.send(home.random.pick(['reading', 'backfill']), messages);
    // Messages that the oracle would judge again every second.
    await home.send('window', [
      home.statement({ window: Math.floor(home.now() / WINDOW_MS) + home.random.int(1, 90) }),
    ]);
    await home.parts.clock.sleep(PAUSE_MS);
  }
};

/** Sends good readings, as many as the broker accepts. */
const rate: Act = async (home) => {
  while (!home.isOver) {
    await home.send(
      'reading',
      times(200, () => home.reading()),
    );
  }
};

/** Sends packets of one reading each, as many as the broker accepts. */
const small: Act = async (home) => {
  while (!home.isOver) {
    for (let i = 0; i < 100; i++) await home.send('reading', [home.reading()]);
    await home.parts.clock.sleep(1);
  }
};

/**
 * Sends packets of every size: empty, torn, the largest, one byte above it; filled with bytes that are no message, or
 * that nobody signed.
 */
const size: Act = async (home) => {
  const { random } = home.parts;
  const sizes = [0, 1, 170, 171, 172, 171 * 200, 171 * 200 + 1, 171 * 201, 65_000, 65_400, 70_000, 262_144];
  while (!home.isOver) {
    const topic = home.topic(home.random.pick(['reading', 'window', 'event', 'backfill']));
    await home.publish(topic, random(home.random.pick(sizes)));
    const forged = times(200, () => {
      const message = home.reading();
      message[150] = (message[150] ?? 0) ^ 1;
      return message;
    });
    await home.send('backfill', forged);
    await home.parts.clock.sleep(PAUSE_MS);
  }
};

/** Sends a week at once: every window's statement, and the readings between them, oldest or newest first. */
const backlog: Act = async (home) => {
  const newest = Math.floor(home.now() / WINDOW_MS) - 1;
  const count = Math.max(1, newest - home.window);
  const perWindow = Math.max(1, Math.floor(WEEK_OF_READINGS / count));
  const isLumped = home.random.chance(0.5);
  const messages: Uint8Array[] = [];
  while (home.window < newest) {
    const endAtMs = (home.window + 2) * WINDOW_MS;
    for (let i = perWindow; i > 0 && !isLumped; i--)
      messages.push(home.reading({ timeMs: BigInt(endAtMs - i * 10_000) }));
    if (isLumped) home.exportWh += BigInt(home.random.int(0, 3));
    messages.push(home.statement());
  }
  await home.send('backfill', home.random.chance(0.3) ? messages.reverse() : messages);
  // Afterwards one late statement after another, as they become due.
  while (!home.isOver) {
    if (home.window < Math.floor(home.now() / WINDOW_MS) - 2) await home.send('window', [home.statement()]);
    await home.send('backfill', home.random.shuffled(messages).slice(0, 200));
    await home.parts.clock.sleep(10 * PAUSE_MS);
  }
};

/** Skips seqs, far and near, and declares them as gone: the same seqs again, too many, stored ones. */
const gaps: Act = async (home) => {
  while (!home.isOver) {
    const messages = times(100, () => {
      const first = home.seq + 1n;
      const count = home.random.pick([1, 3, 1_000, 100_000, MAX_U32]);
      const skipped = home.random.pick([0n, 1n, 2n, BigInt(count)]);
      home.seq += skipped;
      const from = home.random.pick([first, 1n, 0n, first + 5n, home.seq]);
      return home.random.chance(0.7) ? home.gap(from, count, home.random.int(0, 6)) : home.reading();
    });
    await home.send(home.random.pick(['event', 'backfill']), home.random.shuffled(messages));
    await home.send('event', [home.gap(1n, 1, GapReason.restored)]);
    await home.parts.clock.sleep(PAUSE_MS);
  }
};

/** Signs two messages for one seq, two statements for one window, the same place again and again. */
const equivocation: Act = async (home) => {
  while (!home.isOver) {
    const places = times(40, () => {
      home.reading();
      return home.seq;
    });
    const messages = places.flatMap((seq) =>
      times(6, (i) => home.reading({ seq, exportWh: home.exportWh + BigInt(i) })),
    );
    const late = times(10, (i) => home.statement({ window: home.window, exportWh: home.exportWh + BigInt(i) }));
    await home.send('backfill', home.random.shuffled([...messages, ...late]));
    await home.parts.clock.sleep(PAUSE_MS);
  }
};

/** Signs registers that fall, leap beyond every limit, or are the largest possible. */
const registers: Act = async (home) => {
  while (!home.isOver) {
    const messages = times(100, () => {
      const exportWh = home.random.pick([0n, home.exportWh + 1_000_000_000n, 2n ** 64n - 1n, home.exportWh]);
      const importWh = home.random.pick([0n, home.importWh, 2n ** 64n - 1n]);
      return home.random.chance(0.8) ? home.reading({ exportWh, importWh }) : home.statement({ exportWh, importWh });
    });
    await home.send('backfill', messages);
    await home.parts.clock.sleep(PAUSE_MS);
  }
};

/** Adds filters that nobody else uses to one session, for as long as the broker allows. */
const filters: Act = async (home) => {
  const gateway = base58Encode(home.parts.keys.gateway.publicKey);
  for (let i = 0; !home.isOver; i++) {
    const names = times(FILTERS_PER_PACKET, (n) => `gtx/v1/${gateway}/ack/${i}-${n}`);
    await home.write(subscribePacket(names));
    home.sent++;
    if (i % 50 === 0) await home.parts.clock.sleep(1);
  }
};

export const MESSAGE_ACTS = {
  filters,
  order,
  time,
  rate,
  small,
  size,
  backlog,
  gaps,
  equivocation,
  registers,
} as const;
