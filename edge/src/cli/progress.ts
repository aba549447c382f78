import { nameOf, whereText } from '../domain/commissioning/config-text.js';
import { planCost, type Stage } from '../domain/scan/plan.js';
import { type Setting, settingText, speedOf } from '../domain/scan/settings.js';
import type { Found, ScanState } from '../domain/scan/state.js';
import { oddListText } from '../profiles/sunspec-walk.js';

/** Shows the progress of a scan. */
export interface Progress {
  /** Prints a line that stays. */
  line(text: string): void;
  at(setting: Setting, unit: number, state: ScanState): void;
  end(): void;
}

interface Screen {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const charMsOf = (setting: Setting) => speedOf(setting).charMs;
const WIDTH = 78;

/** Shows progress as one moving line on a terminal; elsewhere as a line for each step. */
export function progressTo(screen: Screen, stages: readonly Stage[]): Progress {
  const isTerminal = screen.isTTY === true;
  let shown = -1;
  let isMoving = false;
  const clear = () => {
    if (isMoving) screen.write(`\r${' '.repeat(WIDTH)}\r`);
    isMoving = false;
  };
  return {
    line(text) {
      clear();
      screen.write(`${text}\n`);
    },
    at(setting, unit, { stage, unit: done, found }) {
      if (!isTerminal) {
        if (shown !== stage) screen.write(`${stageText(stages[stage])}\n`);
        shown = stage;
        return;
      }
      const text = `${settingText(setting)}, unit ${unit}: ${found.length} found, ${leftText(stages, stage, done)}`;
      screen.write(`\r${text.slice(0, WIDTH).padEnd(WIDTH)}`);
      isMoving = true;
    },
    end: clear,
  };
}

function stageText(stage: Stage | undefined): string {
  if (!stage) return '';
  const { setting, units } = stage;
  const [first, last] = [units[0], units.at(-1)];
  return `asking at ${settingText(setting)}: unit${units.length === 1 ? ` ${first}` : `s ${first} to ${last}`}`;
}

/** Says how long the rest of the plan takes when nothing more answers. */
export function leftText(stages: readonly Stage[], stage: number, done: number): string {
  const [current, ...later] = stages.slice(stage);
  const rest = current ? [{ ...current, units: current.units.slice(done) }, ...later] : [];
  const seconds = Math.ceil(planCost(rest, charMsOf).ms / 1_000);
  return seconds < 90 ? `${seconds} s left` : `${Math.ceil(seconds / 60)} min left`;
}

const kwh = (wh: string | null) => (wh === null ? 'not known' : `${(Number(wh) / 1_000).toFixed(3)} kWh`);

/** Describes for people what the scan found at a unit. */
export function foundText(found: Found): string {
  const { fits, silent, afterMs } = found;
  const where = `found after ${(afterMs / 1_000).toFixed(0)} s: ${whereText(found)}`;
  const [first, ...others] = fits;
  if (!first) {
    const why = silent.length > 0 ? ' It gave no answer to most questions: it may be too slow, or the line is bad' : '';
    return `${where}: answers, but no profile fits.${why}`;
  }
  const read = [...new Set(fits.flatMap((fit) => (fit.serial === null ? [] : [fit.serial])))];
  const serial = read.length === 0 ? 'no serial number is readable' : `serial number ${read.join(' or ')}`;
  const values = `import ${kwh(first.importWh)}, export ${kwh(first.exportWh)}, ${serial}`;
  if (others.length > 0)
    return `${where}: ${fits.length} profiles fit (${fits.map(({ profile }) => profile).join(', ')}): the nameplate says which; ${values}`;
  const weak = first.strength === 0 ? ' (a weak probe: compare with the nameplate)' : '';
  const odd = first.oddities ? `; ${oddListText(first.oddities)}` : '';
  const limit = first.maxRegisters === undefined ? '' : `; it answers at most ${first.maxRegisters} registers at once`;
  return `${where}: ${nameOf(fits)}${weak}, profile ${first.profile}; ${values}${limit}${odd}`;
}
