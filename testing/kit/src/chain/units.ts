/** Compute units by name, measured or committed. */
export type Units = Readonly<Record<string, number>>;

/** Maximum rise of a figure before it counts as a regression, as a fraction. */
export const TOLERANCE = 0.02;

/** Returns, in words, figures that exceed the committed figures, and figures that are new or missing. */
export function regressions(measured: Units, committed: Units): string[] {
  const found: string[] = [];
  for (const name of new Set([...Object.keys(measured), ...Object.keys(committed)])) {
    const [now, before] = [measured[name], committed[name]];
    if (now === undefined) found.push(`${name} is not measured any more`);
    else if (before === undefined) found.push(`${name} has no committed figure`);
    else if (now > before * (1 + TOLERANCE)) found.push(`${name}: ${now} units, committed ${before}`);
  }
  return found;
}
