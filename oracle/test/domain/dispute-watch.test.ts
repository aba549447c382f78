import { asMeterId, asWh, asWindow } from '@gridtokenx/protocol';
import { meterOf } from '@gridtokenx/testing-kit/signed-journal';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { beforeEach, describe, expect, it } from 'vitest';
import { Disputes } from '../../src/domain/settlement/disputes/disputes.js';
import type { DisputeIntent, DisputeNode, DisputeStore, SlotCase } from '../../src/domain/settlement/disputes/ports.js';
import { capWh } from '../../src/domain/settlement/disputes/sync.js';
import { type LeaderTurn, SlotFlag, type SlotRead } from '../../src/domain/settlement/ports.js';

const KEY = new Uint8Array(32).fill(1);
const OPENED = 1_000;
const meters = [0, 1].map((slot) => ({
  ...meterOf(1, { signer: 'device', key: KEY, zone: 1, firstWindow: asWindow(1), registerStepWh: 1 }),
  ...{ meterId: asMeterId(`${slot}`.repeat(32)), page: 0, slot, exportLimitW: 40, importLimitW: 40 },
}));
const disputed: SlotRead = {
  ...{ exportWh: asWh(5n), importWh: asWh(5n), window: asWindow(10) },
  ...{ exportCapWh: capWh(40, 1), importCapWh: capWh(40, 1), attestors: 1, epoch: 0 },
  flags: SlotFlag.active | SlotFlag.disputed,
};

let clock: VirtualClock;
let looks: number;
let searches: number;
let hasAnswer: boolean;
let number: number;
let flags: number[];
let chainSeconds: number;
let acceptedCase: number;
let verdict: number;
/** Lists the built transactions in order. */
let built: string[];
let broken: string;
let turns: LeaderTurn | null;
let intents: DisputeIntent[];

beforeEach(() => {
  clock = new VirtualClock({ startAtMs: 1_800_000_000_000 });
  [looks, searches, hasAnswer, number, broken] = [0, 0, true, 1, ''];
  [built, intents, turns, flags] = [[], [], null, [disputed.flags, SlotFlag.active]];
  [chainSeconds, acceptedCase, verdict] = [OPENED * 900, 0, 0];
});

function watch(): Disputes {
  const found = (slot: number): SlotCase => ({
    ...{ chainSeconds, acceptedCase, meter: meters[slot] ?? null },
    dispute: {
      ...{ number, verdict, openedWindow: asWindow(OPENED), slotWindow: asWindow(10) },
      ...{ slotExportWh: asWh(5n), slotImportWh: asWh(5n) },
    },
  });
  const node: DisputeNode = {
    readPage: async () => {
      looks++;
      const slots = flags.map((of) => ({ ...disputed, flags: of }));
      return { chainSlot: 1, page: { slots } as never, ledger: null };
    },
    readCase: async (_zone, _page, slot) => found(slot),
    send: async () => {},
    outcome: async () => ({ kind: 'landed', slot: 1, event: null }) as never,
    blockhashState: async () => 'valid',
  };
  const build = (kind: string) => async (place: { slot: number }) => {
    built.push(`${kind} ${place.slot}`);
    if (broken === `${kind} ${place.slot}`) throw new Error('cannot');
    return { raw: new Uint8Array(1), signature: `${built.length}`, blockhash: 'b', lastValidHeight: 9 };
  };
  const store: DisputeStore = {
    nonce: () => 1,
    add: (intent) => {
      const stored = { ...intent, id: intents.length } as unknown as DisputeIntent;
      intents.push(stored);
      return stored;
    },
    open: () => intents.at(-1),
    end: () => void intents.pop(),
  };
  const message = new Uint8Array(171);
  return new Disputes({
    ...{ node, store, turns, clock, meters: () => meters },
    builder: { answer: build('answer'), conclude: build('conclude'), sync: build('sync') },
    statements: {
      signedBy: () => [],
      saying: (_meter, _key, { window, importWh, exportWh }) => {
        searches++;
        return hasAnswer ? { window, importWh: asWh(importWh), exportWh: asWh(exportWh), message } : undefined;
      },
    },
    logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  });
}
/** The ms until the next step. */
const step = async (of: Disputes) => (await of.step(1, 0)) - clock.nowMs();

describe('the watch over a page', () => {
  it('sends nothing while another oracle leads, looks at the page again in its time, and sends in its own turn', async () => {
    const asked: unknown[][] = [];
    let waitMs = 300;
    turns = {
      wait: async (...given) => {
        asked.push(given);
        return waitMs;
      },
    };
    const of = watch();
    expect(await step(of)).toBe(300);
    expect([asked, built, looks]).toEqual([[[1, 0, 'answer 0 1', 1]], [], 1]);
    clock.advanceNow(299);
    expect([await step(of), looks]).toEqual([1, 1]);
    clock.advanceNow(1);
    waitMs = 0;
    await step(of);
    expect([built, looks]).toEqual([['answer 0'], 2]);
  });

  it('sends where its turn cannot be told', async () => {
    turns = { wait: () => Promise.reject(new Error('no attestor')) };
    await step(watch());
    expect(built).toEqual(['answer 0']);
  });

  it('names a slot whose transaction cannot be built, takes the next, and tries it again later and later', async () => {
    flags = [disputed.flags, disputed.flags];
    broken = 'answer 0';
    const of = watch();
    expect(await step(of)).toBe(50);
    expect(built).toEqual(['answer 0']);
    expect(of.failures()).toEqual([`meter ${meters[0]?.meterId}, slot 1/0/0: cannot`]);
    clock.advanceNow(50);
    await step(of);
    expect(built).toEqual(['answer 0', 'answer 1']);
    const at: number[] = [];
    const startAtMs = clock.nowMs();
    while (clock.nowMs() < startAtMs + 100_000) {
      const before = built.length;
      const untilMs = await of.step(1, 0);
      if (built.slice(before).includes('answer 0')) at.push(Math.round((clock.nowMs() - startAtMs) / 1_000));
      clock.advanceNow(Math.max(1, untilMs - clock.nowMs()));
    }
    expect(at).toEqual([10, 30, 70]);
  });

  it('searches a ledger without an answer once a minute, and at once for a new case', async () => {
    hasAnswer = false;
    const of = watch();
    const look = async (ms: number) => {
      clock.advanceNow(ms);
      const before = searches;
      await step(of);
      return searches - before > 0;
    };
    expect([await look(0), await look(10_000), await look(49_999)]).toEqual([true, false, false]);
    expect(looks).toBe(3);
    // The look itself is due ten seconds after the last.
    expect(await look(10_000)).toBe(true);
    expect(await look(10_000)).toBe(false);
    number = 2;
    expect(await look(10_000)).toBe(true);
    expect(of.cases()).toMatchObject([{ state: 'no answer here', number: 2, slot: 0 }]);
    hasAnswer = true;
    clock.advanceNow(60_000);
    await step(of);
    expect(built).toEqual(['answer 0']);
  });

  it.each([
    [0, 'answer 0', 'answering', 96],
    [96 * 900 - 1, 'answer 0', 'answering', 1],
    [96 * 900, 'conclude 0', 'overdue', 0],
  ])('%i s after a dispute it sends %s', async (seconds, expected, state, windowsLeft) => {
    chainSeconds += seconds;
    const of = watch();
    await step(of);
    expect(built).toEqual([expected]);
    expect(of.cases()).toMatchObject([{ state, windowsLeft, number: 1, verdict: 0 }]);
  });

  it('frees a decided slot once the utility accepted that very case, and forgets a slot that is free', async () => {
    verdict = 1;
    acceptedCase = 2;
    const of = watch();
    expect(await step(of)).toBe(10_000);
    expect([built, of.cases()]).toMatchObject([[], [{ state: 'decided', windowsLeft: 0 }]]);
    acceptedCase = 1;
    clock.advanceNow(10_000);
    await step(of);
    expect([built, of.cases()]).toMatchObject([['conclude 0'], [{ state: 'accepted', windowsLeft: 0 }]]);
    expect(of.isQuiet(1, 0)).toBe(false);
    flags = [SlotFlag.active, SlotFlag.active];
    await step(of);
    expect(of.isQuiet(1, 0)).toBe(true);
    await step(of);
    expect(of.cases()).toEqual([]);
  });
});
