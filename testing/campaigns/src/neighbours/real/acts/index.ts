import { addFigures } from '../../../campaign.js';
import { halfOpen } from '../../attacks/half-open.js';
import { logFlood } from '../../attacks/log-flood.js';
import { subscriptions } from '../../attacks/subscriptions.js';
import { tokenReplay } from '../../attacks/token-replay.js';
import type { Turncoat } from '../turncoat.js';
import { account, type Owner } from './account.js';
import { MESSAGE_ACTS } from './messages.js';

const WIRE_ACTS = { subscriptions, halfOpen, logFlood, tokenReplay } as const;

/** Number of simultaneous floods: each refusal waits for its answer, and so many fill a log without a bound. */
const FLOODS = 16;

/** All acts of a home with its keys, by name. */
export const ACTS = [...Object.keys(MESSAGE_ACTS), ...Object.keys(WIRE_ACTS), 'account'] as const;

/** Acts that use up the sign-ins of a key: they run last, so that they do not lock the others out. */
export const LAST_ACTS: readonly string[] = ['filters', 'logFlood', 'subscriptions', 'tokenReplay'];

/** Performs one act until the turncoat's deadline; returns its counts. */
export async function perform(name: string, home: Turncoat, owner: Owner): Promise<Record<string, number>> {
  const before = home.sent;
  const figures: Record<string, number> = {};
  if (name === 'account') addFigures(figures, await account(home, owner));
  else if (Object.hasOwn(WIRE_ACTS, name)) {
    home.close();
    const act = WIRE_ACTS[name as keyof typeof WIRE_ACTS];
    const all = await Promise.all(Array.from({ length: name === 'logFlood' ? FLOODS : 1 }, () => act(home.parts)));
    for (const one of all) addFigures(figures, one);
  } else await MESSAGE_ACTS[name as keyof typeof MESSAGE_ACTS](home);
  return { [`act ${name}`]: 1, messages: home.sent - before, ...figures };
}
