import { expect, test } from 'vitest';
import { chainCampaign, chainEpisode, chainRules, chainSabotages, reviewFigures } from '../src/chain/campaign.js';

const SEED = 7;
/** Instructions of one episode. */
const ONE = 500;

test('short form: chain and model agree, common instructions come up, and a run goes on where it stopped', async () => {
  const done: number[] = [];
  const progress = ({ episodes }: { episodes: number }) => void done.push(episodes);
  const first = await chainCampaign({ seed: SEED, instructions: ONE, progress });
  const second = await chainCampaign({ seed: SEED, instructions: 2 * ONE, from: 1, progress });
  expect([...first.faults, ...second.faults]).toEqual([]);
  const figures: Record<string, number> = { ...first.figures };
  for (const [name, count] of Object.entries(second.figures)) figures[name] = (figures[name] ?? 0) + count;
  for (const kind of ['attest', 'submit', 'register', 'confirm', 'status', 'rotate', 'mintPage', 'install', 'dispute'])
    expect(figures[`${kind} accepted`], kind).toBeGreaterThan(0);
  expect(figures.minted).toBeGreaterThan(0);
  expect(figures['hostile accounts']).toBeGreaterThan(50);
  expect(figures.instructions).toBeGreaterThanOrEqual(2 * ONE);
  expect(done).toEqual([1, 2]);
  // It played the second episode, not the first again, and plays it alike each time.
  expect(second.figures).toEqual(chainEpisode(SEED, 1).figures);
  expect(second.figures).not.toEqual(first.figures);
}, 120_000);

/** Episodes of this seed that notice the control soonest; the test tries all others after them. */
const EARLY: Readonly<Record<string, number>> = {
  pending: 1,
  quorum: 2,
  signedFor: 3,
  point: 7,
  reactivation: 15,
  firstWindow: 15,
  version: 16,
  closedStill: 16,
  budget: 21,
  claimed: 22,
  rotationTime: 22,
  restart: 25,
  newer: 27,
  capacity: 29,
  answerTime: 31,
  cursor: 36,
  attestorWait: 39,
  frozen: 48,
  over: 59,
  carried: 62,
  enrolment: 63,
  retired: 66,
  keyEpoch: 68,
  deviceKey: 68,
  stoodStill: 77,
  caps: 78,
  evidenceKept: 81,
  slotMoved: 81,
  moved: 82,
  presentKey: 83,
  zoneUser: 83,
  sameInstaller: 86,
  extra: 87,
  cancelRight: 92,
  capacityBack: 98,
  totalsFell: 99,
  oneKey: 116,
  limits: 118,
  gatewayWait: 125,
  quality: 125,
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
