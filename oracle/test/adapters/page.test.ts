import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';

const html = readFileSync(new URL('../../src/adapters/http/page/index.html', import.meta.url), 'utf8');
const script = /<script>([\s\S]*?)<\/script>/.exec(html)?.[1] ?? '';

/** As much of a document as the page's script uses: elements are trees of text. */
class Element {
  readonly tag: string;
  className = '';
  children: (Element | string)[] = [];
  constructor(tag: string) {
    this.tag = tag;
  }
  set textContent(text: string) {
    this.children = [String(text)];
  }
  get textContent(): string {
    return this.children.map((child) => (typeof child === 'string' ? child : child.textContent)).join(' ');
  }
  set innerHTML(_: string) {
    throw new Error('text from outside must never become markup');
  }
  append(...children: (Element | string)[]): void {
    this.children.push(...children);
  }
  replaceChildren(...children: (Element | string)[]): void {
    this.children = children;
  }
  readonly classList = {
    add: (name: string) => {
      this.className += ` ${name}`;
    },
  };
}

/** Runs the page once against an answer of the API; what a person would read, by element id. */
async function show(answer: () => Promise<{ ok: boolean; status: number; json: () => Promise<unknown> }>) {
  const byId = new Map<string, Element>();
  let polled: () => void = () => undefined;
  const done = new Promise<void>((resolve) => {
    polled = resolve;
  });
  let wait = 0;
  runInNewContext(script, {
    document: {
      getElementById: (id: string) => byId.get(id) ?? byId.set(id, new Element('div')).get(id),
      createElement: (tag: string) => new Element(tag),
    },
    fetch: answer,
    setTimeout: (_: unknown, ms: number) => {
      wait = ms;
      polled();
    },
  });
  await done;
  return { text: (id: string) => byId.get(id)?.textContent ?? '', homes: byId.get('homes')?.children ?? [], wait };
}

const state = {
  now_ms: 1_317_855_161_280,
  utc_offset_minutes: 600,
  verifier: 'libsodium',
  oracle: 'ORACLE',
  gateways: [
    { gateway: 'G1', name: '<img src=x>', online: true, spool_depth: 5, age_ms: 1, problems: ['clock is late'] },
  ],
  meters: [
    {
      meter_id: 'aa'.repeat(16),
      gateway: 'G1',
      signer: 'gateway',
      power_w: -196,
      import_wh: '4322158',
      export_wh: '18446744073709551615',
      age_ms: 41_000,
      quality: 64,
      last_statement: { window: 1_464_282, quality: 65 },
      chain: { import_wh: '1158', export_wh: '47', minted_base_units: '47000' },
      readings: 90,
      statements: 6,
      events: 2,
      verdicts: { duplicate: 11, verified: 99 },
    },
    {
      meter_id: 'bb'.repeat(16),
      gateway: null,
      signer: 'device',
      power_w: null,
      import_wh: null,
      export_wh: null,
      age_ms: null,
      quality: null,
      last_statement: null,
      chain: { import_wh: '0', export_wh: '0', minted_base_units: '0' },
      readings: 0,
      statements: 0,
      events: 0,
      verdicts: {},
    },
  ],
  chain: { sender: 'idle', pending: 0, problems: [] as string[] },
  totals: { import_wh: '1158', export_wh: '47', minted_base_units: '47000', unattributed_verdicts: { malformed: 2 } },
};

describe('status page', () => {
  it('shows each home: power, registers, statement, tokens, age, spool, verdicts', async () => {
    const page = await show(async () => ({ ok: true, status: 200, json: async () => state }));
    const [first, second] = page.homes.map((home) => (typeof home === 'string' ? home : home.textContent));
    for (const fact of [
      '● online',
      '▲ gives 196 W to the grid',
      '4322.158 kWh',
      '18446744073709551.615 kWh',
      '41 s',
      'signed by the gateway',
      '08:30–08:45 (stale, signed by the gateway)',
      '0.047 kWh',
      '0.047000 GXT',
      'Waiting in the spool 5',
      '90 readings, 6 statements, 2 events',
      'verified 99, duplicate 11',
      '⚠ clock is late',
      '<img src=x>',
    ]) {
      expect(first).toContain(fact);
    }
    for (const fact of [
      '○ offline',
      'power not known now',
      'not read yet',
      'no data yet',
      'none yet',
      'the meter itself',
    ]) {
      expect(second).toContain(fact);
    }
    expect(page.text('now')).toBe('2011-10-06 08:52 UTC+10:00, 2 homes');
    expect(page.text('service')).toContain('malformed 2');
    expect(page.text('health')).toBe('');
    expect(page.wait).toBe(1_000);
  });

  const [meter] = state.meters;
  const [gateway] = state.gateways;
  it.each([
    [
      'a stopped gateway',
      { gateways: [{ ...gateway, online: false, known_ms: 1_317_855_161_280 }], meters: [meter] },
      '41 s',
    ],
    ['old data', { gateways: [gateway], meters: [{ ...meter, age_ms: 720_000 }] }, '12 min'],
  ])('shows the power of %s as the last one, with its age, and never as what flows now', async (_, change, age) => {
    const page = await show(async () => ({ ok: true, status: 200, json: async () => ({ ...state, ...change }) }));
    const [home] = page.homes as Element[];
    const large = home?.children.filter((part) => typeof part !== 'string' && part.className === 'power');
    expect(large).toEqual([]);
    expect(home?.textContent).toContain('power not known now');
    expect(home?.textContent).toContain(`Last power ▲ gives 196 W to the grid, ${age} ago`);
    const isGone = change.gateways[0]?.online === false;
    expect(/Gateway last known \d{4}-\d\d-\d\d \d\d:\d\d/.test(home?.textContent ?? '')).toBe(isGone);
  });

  it('says so when the oracle does not answer, and asks again', async () => {
    const page = await show(async () => ({ ok: false, status: 503, json: async () => ({}) }));
    expect(page.text('health')).toContain('The oracle does not answer (answer 503)');
    expect(page.wait).toBe(1_000);
  });

  it('is one file that loads nothing from elsewhere', () => {
    expect(script.length).toBeGreaterThan(1_000);
    expect(html).not.toMatch(/<(script|link|img|iframe)[^>]+(src|href)=/);
    expect(html).not.toMatch(/https?:\/\//);
    expect(script).not.toMatch(/innerHTML|insertAdjacent|document\.write|eval\(/);
  });
});
