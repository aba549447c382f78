import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Verifier } from '@gridtokenx/protocol';
import { provedVerifier } from '@gridtokenx/runtime/node/sodium';
import { Random } from '@gridtokenx/testing-kit/random';
import { addFigures, type Campaign, type Outcome } from '../campaign.js';
import { nameOfVerdict } from './bench.js';
import { ledgerControls } from './controls.js';
import { deliverInOrder, deliverSomehow, type Means } from './delivery.js';
import { compare, differences, judgeSummary } from './expect.js';
import { OUTSIDE, READING_TRICKS, STATEMENT_TRICKS } from './hostile.js';
import { makeWorld } from './play.js';
import { judgeWorld, type Summary } from './summary.js';
import type { World } from './world.js';

/** One in so many seeds keeps its ledger in files; after a kill it has only what the files hold. */
const IN_FILES = 20;
/** Number of seeds from which on even rare events must have been reached. */
const SEEDS_FOR_ALL = 500;

let proven: Verifier | null = null;

/** The real signature check; checks a message only once in a seed. */
function rememberingVerifier(): Verifier {
  proven ??= provedVerifier();
  const verifier = proven;
  const known = new Map<string, boolean>();
  return {
    name: verifier.name,
    verify(signature, message, publicKey) {
      const name = Buffer.concat([signature, message, publicKey]).toString('latin1');
      const before = known.get(name);
      if (before !== undefined) return before;
      const result = verifier.verify(signature, message, publicKey);
      known.set(name, result);
      return result;
    },
  };
}

/** Runs one seed: the reference, one other delivery, the definition, and the certain facts of the world. */
export async function runLedgerSeed(seed: number): Promise<Outcome> {
  const world = makeWorld(seed);
  const isInFiles = new Random(seed, 'ledger/files').chance(1 / IN_FILES);
  const folder = isInFiles ? mkdtempSync(join(tmpdir(), 'gtx-ledger-')) : null;
  let file = 0;
  const means: Means = {
    verifier: rememberingVerifier(),
    path: () => (folder ? join(folder, `${++file}.sqlite`) : ':memory:'),
  };
  try {
    const reference = await deliverInOrder(world, { ...means, path: () => ':memory:' });
    const { summary, figures } = await deliverSomehow(world, 1, means);
    const set = judgeWorld(world);
    const inStreams = new Map([...reference.verdicts].filter(([name]) => name.includes('/')));
    const faults = [
      ...compare(reference, summary),
      ...differences('defined verdict', set.verdicts, inStreams),
      ...differences('defined watermark', set.marks, reference.marks),
      ...judgeSummary(world, reference).map((fault) => `in order: ${fault}`),
      ...judgeSummary(world, summary).map((fault) => `delivered: ${fault}`),
    ];
    return { faults, figures: { ...figures, ...figuresOf(world, reference) } };
  } finally {
    if (folder) rmSync(folder, { recursive: true, force: true });
  }
}

function figuresOf(world: World, reference: Summary): Record<string, number> {
  const figures: Record<string, number> = {};
  const count = (name: string, n = 1) => addFigures(figures, { [name]: n });
  count('messages', world.items.length);
  count('gateways', world.gateways.length);
  count('meters', world.meters.length);
  count('honest meters', new Set(world.truths.map((truth) => truth.meter)).size);
  count('rotations', world.meters.filter((meter) => meter.rotatesAt !== null).length);
  if (world.shape.windows === 96) count('whole days');
  for (const { kind } of world.items) if (kind !== 'honest') count(`hostile: ${kind}`);
  count('hostile messages', world.items.filter((item) => item.kind !== 'honest').length);
  for (const verdict of reference.verdicts.values()) count(`verdict: ${nameOfVerdict(verdict % 1_000)}`);
  return figures;
}

/** Verdicts that a message of the wire can get; duplicates and storage failures are no verdicts of a stored message. */
const VERDICTS = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 20, 21];

function review(figures: Readonly<Record<string, number>>, seeds: number): string[] {
  // A few seeds need not reach rare events.
  if (seeds < SEEDS_FOR_ALL) return [];
  const wanted = [
    ...VERDICTS.map((code) => `verdict: ${nameOfVerdict(code)}`),
    ...[READING_TRICKS, STATEMENT_TRICKS, OUTSIDE].flatMap((tricks) => Object.keys(tricks)).map((k) => `hostile: ${k}`),
    'restarts',
    'disk failures',
    'deliveries lost and sent again',
    'answers of the registry',
    'rotations',
    'whole days',
  ];
  return wanted.filter((name) => !figures[name]).map((name) => `no seed reached "${name}"`);
}

export const ledgerCampaign: Campaign = {
  name: 'ledger',
  about: 'a day of 20 gateways, hostile messages among it, in any order: the same verdicts and totals',
  seeds: 10_000,
  secondsPerSeed: 600,
  code: [
    'programs/sender/dist',
    'protocol/dist',
    'protocol/vectors',
    'runtime/dist',
    'oracle/dist',
    'testing/campaigns/dist/ledger',
    'testing/kit/dist',
  ],
  controls: ledgerControls,
  run: runLedgerSeed,
  review,
};
