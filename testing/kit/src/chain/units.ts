/** Compute units by name, measured or committed. */
export type Units = Readonly<Record<string, number>>;

/** A figure may rise by this much before it counts as a regression. */
export const TOLERANCE = 0.02;

/** What got more expensive than the committed figures allow, or is new or gone, in words. */
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
