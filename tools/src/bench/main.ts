import { cpus } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { yearPath } from '@gridtokenx/simulators';
import { projectRoot } from '../root.js';

/** One figure of a bench beside what there is to beat and the goal. */
interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly toBeat: string;
  readonly goal: string;
}

/** Whether a figure reaches a goal of the form "<= 80" or ">= 200"; null where the goal has no number. */
export function reaches(value: number, goal: string): boolean | null {
  const match = /^(<=|>=)\s*([\d,.]+)/.exec(goal);
  if (!match) return null;
  const bound = Number((match[2] ?? '').replaceAll(',', ''));
  return match[1] === '<=' ? value <= bound : value >= bound;
}

function print(rows: readonly BenchRow[]): void {
  const cells = rows.map((row) => {
    const met = reaches(row.value, row.goal);
    const verdict = met === null ? '' : met ? 'met' : 'NOT met';
    return [row.name, `${Number(row.value.toFixed(1))} ${row.unit}`, row.toBeat, row.goal, verdict];
  });
  const table = [['figure', 'measured', 'peer (to beat)', 'goal', ''], ...cells];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...table.map((row) => (row[column] ?? '').length)));
  for (const row of table)
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

async function main(): Promise<void> {
  console.log(
    `npm run bench on ${cpus().length} cores, Node ${process.versions.node}, ${process.platform}-${process.arch}\n`,
  );
  // The programs' tests are no workspace package; their bench is built beside them.
  const path = join(projectRoot, 'programs/tests/dist/bench.js');
  const { benchChain } = (await import(pathToFileURL(path).href)) as {
    benchChain(csv: string): Promise<BenchRow[]>;
  };
  console.log('On-chain programs: LiteSVM, the committed .so, 256 meters from the real year, 2 of 3 attestors, v0');
  print(await benchChain(yearPath));
}

if (process.argv[1]?.endsWith('bench/main.js')) await main();
