import { expect, test } from 'vitest';
import { chainCampaign, chainEpisode, chainRules, chainSabotages, reviewFigures } from '../src/chain/campaign.js';

const SEED = 7;
/** Two episodes. */
const SHORT = 1_000;

test('short form: chain and model agree, common instructions come up, and a run goes on where it stopped', async () => {
  const done: number[] = [];
  const progress = ({ episodes }: { episodes: number }) => void done.push(episodes);
  const whole = await chainCampaign({ seed: SEED, instructions: SHORT, progress });
  const { faults, figures } = whole;
  expect(faults).toEqual([]);
  for (const kind of ['attest', 'submit', 'register', 'confirm', 'status', 'rotate', 'mintPage', 'install', 'dispute'])
    expect(figures[`${kind} accepted`], kind).toBeGreaterThan(0);
  expect(figures.minted).toBeGreaterThan(0);
  expect(figures['hostile accounts']).toBeGreaterThan(50);
  expect(done).toEqual([1, 2]);
  expect(figures.instructions).toBeGreaterThanOrEqual(SHORT);
  const rest = await chainCampaign({ seed: SEED, instructions: SHORT, from: 1 });
  const sum: Record<string, number> = { ...rest.figures };
  for (const [name, count] of Object.entries(chainEpisode(SEED, 0).figures)) sum[name] = (sum[name] ?? 0) + count;
  expect(sum).toEqual(figures);
}, 120_000);

/** Episodes that come early to what the control needs; the rest are tried after them. */
const EARLY: Readonly<Record<string, number>> = {
  gatewayWait: 9,
  quality: 1,
  retired: 1,
  rotationTime: 3,
  deviceKey: 10,
  enrolment: 5,
  limits: 3,
  zoneUser: 3,
  sameInstaller: 1,
  slotMoved: 7,
  closedStill: 3,
  cancelRight: 1,
  moved: 6,
  caps: 1,
  quorum: 2,
  extra: 12,
  version: 9,
  newer: 10,
  frozen: 13,
};
const MAX_EPISODES = 30;

function faultOf(control: Parameters<typeof chainEpisode>[2] & string): string | undefined {
  const early = EARLY[control] ?? 0;
  const others = Array.from({ length: MAX_EPISODES }, (_, episode) => episode);
  for (const episode of [early, ...others]) {
    const { fault } = chainEpisode(SEED, episode, control);
    if (fault) return fault;
  }
  return undefined;
}

test.each(chainRules)(
  'control: a model without the rule "%s" is caught',
  (rule) => {
    expect(faultOf(rule)).toMatch(/^seed \d+, instruction \d+: /);
  },
  120_000,
);

test.each(chainSabotages)(
  'control: an invariant notices "%s", whatever the model says',
  (sabotage) => {
    expect(faultOf(sabotage)).toMatch(/^seed \d+, instruction \d+: invariant (\d|budget|capacity|energy): /);
  },
  120_000,
);

test('control: figures that reached too little are named', () => {
  expect(reviewFigures({ instructions: 100_000 })).toContain('only 0 of at least 50: replace accepted');
});
