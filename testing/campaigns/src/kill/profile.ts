import { Random } from '@gridtokenx/testing-kit/random';

/** A past moment at which a window begins; the embedded chain refuses windows of its future. */
const START_SECONDS = 1_700_000_100;
const WINDOW_SECONDS = 900;
/** The third home keeps its tokens in a wallet and uses RTU over TCP; the others use the pool and Modbus TCP. */
export const HOMES = 3;

/**
 * Returns a profile of `windows` quarter hours in which every home exports and imports. A window that mints nothing
 * would prove nothing about double mints.
 */
export function profileOf(seed: number, windows: number): string {
  const random = new Random(seed, 'profile');
  const lines = ['home,time,consumption_wh,production_wh'];
  const start = Math.floor(START_SECONDS / WINDOW_SECONDS) * WINDOW_SECONDS;
  for (let home = 1; home <= HOMES; home++) {
    for (let third = 0; third < windows * 3; third++) {
      const exports = third % 3 !== random.int(0, 2);
      const energy = `${random.int(20, 900)}.${random.int(0, 999_999)}`;
      const [consumption, production] = exports ? ['0', energy] : [energy, '0'];
      lines.push(`home-${home},${start + (third * WINDOW_SECONDS) / 3},${consumption},${production}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
