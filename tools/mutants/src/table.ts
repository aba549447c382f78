import type { Outcome, Status } from './mutant.js';

const WIDTH = 60;

const oneLine = (text: string): string => {
  const flat = text.replace(/\s+/g, ' ').trim();
  return flat.length > WIDTH ? `${flat.slice(0, WIDTH - 1)}…` : flat;
};

/** Counts the outcomes of each status. */
export function countsOf(outcomes: readonly Outcome[]): Record<Status, number> {
  const counts = { killed: 0, timeout: 0, survived: 0, 'no coverage': 0, unbuildable: 0, 'not run': 0 };
  for (const { status } of outcomes) counts[status]++;
  return counts;
}

/**
 * Returns the percentage that tests noticed: killed and timeouts among all mutants that were built and run. null when
 * there was none.
 */
export function partKilled(outcomes: readonly Outcome[]): number | null {
  const { killed, timeout, survived, 'no coverage': missed } = countsOf(outcomes);
  const all = killed + timeout + survived + missed;
  return all === 0 ? null : (100 * (killed + timeout)) / all;
}

/** Formats one outcome as a line: status, place, mutator and change. */
export function lineOf({ mutant, status, by }: Outcome): string {
  const place = `${mutant.file}:${mutant.start.line}`;
  const change = `${oneLine(mutant.original)} → ${oneLine(mutant.replacement)}`;
  return `${status.padEnd(11)}  ${place.padEnd(48)}  ${mutant.mutator.padEnd(21)}  ${change}${by ? `  (${by})` : ''}`;
}

/** Formats all outcomes, unnoticed mutants last, and a summary. */
export function tableOf(outcomes: readonly Outcome[]): string {
  const order: readonly Status[] = ['killed', 'timeout', 'unbuildable', 'not run', 'no coverage', 'survived'];
  const sorted = order.flatMap((status) =>
    outcomes.filter((each) => each.status === status).sort((a, b) => (a.mutant.key < b.mutant.key ? -1 : 1)),
  );
  const counts = Object.entries(countsOf(outcomes)).filter(([, count]) => count > 0);
  const part = partKilled(outcomes);
  return [
    ...sorted.map(lineOf),
    '',
    `${counts.map(([status, count]) => `${count} ${status}`).join(', ') || 'no mutants'}`,
    part === null ? 'no mutant was judged' : `${part.toFixed(1)} % noticed`,
  ].join('\n');
}
