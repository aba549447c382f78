import type { Attack } from './target.js';
import { nameOf, signIn, tokenOf } from './wire.js';

const PAUSE_MS = 20;
/** More tokens than the broker remembers of one key. */
const KEPT = 600;
/** Old tokens for each new token: the broker bounds the sign-ins of a key by the minute. */
const REPLAYS_PER_TOKEN = 50;

/** Signs in with used tokens, while new tokens push the old ones from the broker's memory. */
export const tokenReplay: Attack = async (parts) => {
  const { clock, deadline, random } = parts;
  const used: Uint8Array[] = [];
  const figures = { accepted: 0, replays: 0, breaches: 0 };
  while (clock.now() < deadline) {
    const token = tokenOf(parts, nameOf(parts));
    const first = await signIn(parts, token);
    if (first) {
      figures.accepted++;
      used.push(token);
      if (used.length > KEPT) used.shift();
    }
    for (let i = 0; i < REPLAYS_PER_TOKEN && used.length > 0 && clock.now() < deadline; i++) {
      // The token just used, or any: its session may still be open or closed.
      const [pick = 0] = random(1);
      const again = await signIn(parts, i % 2 === 0 ? used.at(-1) : used[pick % used.length]);
      figures.replays++;
      if (again) figures.breaches++;
      again?.destroy();
      if (i === REPLAYS_PER_TOKEN >> 1) first?.destroy();
      await clock.sleep(PAUSE_MS);
    }
    first?.destroy();
  }
  return figures;
};
