/** One figure of a bench, beside the figure to beat and the goal. */
export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly toBeat: string;
  readonly goal: string;
}

/** Returns true when a figure reaches a goal of the form "<= 80" or ">= 200"; null where the goal has no number. */
export function reaches(value: number, goal: string): boolean | null {
  const match = /^(<=|>=)\s*([\d,.]+)/.exec(goal);
  if (!match) return null;
  const bound = Number((match[2] ?? '').replaceAll(',', ''));
  return match[1] === '<=' ? value <= bound : value >= bound;
}

/** Formats a figure for people: ratios to the hundredth, figures above 1,000 in whole numbers. */
export function figure(value: number): string {
  const digits = Math.abs(value) >= 1_000 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return Number(value.toFixed(digits)).toLocaleString('en-GB', { maximumFractionDigits: digits });
}

/** Returns the rows as text, one line each under a line of headings. */
export function tableOf(rows: readonly BenchRow[]): string[] {
  const cells = rows.map((row) => {
    const met = reaches(row.value, row.goal);
    const verdict = met === null ? '' : met ? 'met' : 'NOT met';
    return [row.name, `${figure(row.value)} ${row.unit}`, row.toBeat, row.goal, verdict];
  });
  const table = [['figure', 'measured', 'peer (to beat)', 'goal', ''], ...cells];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...table.map((row) => (row[column] ?? '').length)));
  return table.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/**
 * Returns the middle value; for an even number of values, the mean of the two middle ones. Throws `RangeError` for
 * none.
 */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle];
  if (high === undefined) throw new RangeError('no values to take the median of');
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? high) + high) / 2;
}

/** Returns the median of paired measurements and their range: "0.91 (0.89 to 0.93)". */
export function ratioText(ratios: readonly number[]): string {
  return `${figure(Math.min(...ratios))} to ${figure(Math.max(...ratios))} over ${ratios.length} pairs`;
}
