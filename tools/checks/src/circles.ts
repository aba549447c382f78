import { readFileSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import { type ImportUse, importsOf, sourcesIn } from './imports.js';

/** Lists sources whose folders still import each other, each with the reason for the exception. */
export const KNOWN_CIRCLES: Readonly<Record<string, string>> = {
  'edge/src': 'the doctor asks the planner, and the planner takes the shortest period from metering',
};

/** An import from one folder of a workspace's sources into another. */
interface Step extends ImportUse {
  readonly from: string;
  readonly to: string;
}

/** Folders that import each other, in a ring. */
export interface Circle {
  /** In alphabetical order. */
  readonly folders: readonly string[];
  /** One import for each step of the ring. */
  readonly imports: readonly ImportUse[];
}

/**
 * Returns the direct child folder of `src` that a path lies in; null for a file of `src` itself, and for other paths.
 */
function folderOf(src: string, path: string): string | null {
  if (!path.startsWith(`${src}/`)) return null;
  const [folder, ...rest] = path.slice(src.length + 1).split('/');
  return rest.length > 0 ? (folder ?? null) : null;
}

function stepsOf(src: string, uses: readonly ImportUse[]): Map<string, Step[]> {
  const steps = new Map<string, Step[]>();
  for (const use of uses) {
    if (!use.specifier.startsWith('.')) continue;
    const from = folderOf(src, use.file);
    const to = folderOf(src, posix.join(posix.dirname(use.file), use.specifier));
    if (from === null || to === null || from === to) continue;
    const known = steps.get(from) ?? [];
    if (!known.some((step) => step.to === to)) steps.set(from, [...known, { ...use, from, to }]);
  }
  return steps;
}

/** Finds the shortest way from the end of `first` back to its start; null where there is none. */
function backTo(first: Step, steps: ReadonlyMap<string, readonly Step[]>): Step[] | null {
  const queue: Step[][] = [[first]];
  const seen = new Set([first.to]);
  for (let way = queue.shift(); way !== undefined; way = queue.shift()) {
    const at = way.at(-1)?.to ?? '';
    if (at === first.from) return way;
    for (const next of steps.get(at) ?? []) {
      if (seen.has(next.to)) continue;
      seen.add(next.to);
      queue.push([...way, next]);
    }
  }
  return null;
}

/** Finds the circles between the direct child folders of `src`. Imports of types count: a reader follows them as well. */
export function circlesOf(src: string, uses: readonly ImportUse[]): Circle[] {
  const steps = stepsOf(src, uses);
  const found = new Map<string, Circle>();
  for (const step of [...steps.values()].flat()) {
    const way = backTo(step, steps);
    if (!way) continue;
    const folders = way.map(({ from }) => from).sort();
    const key = folders.join(' ');
    if (!found.has(key)) found.set(key, { folders, imports: way.map(({ file, specifier }) => ({ file, specifier })) });
  }
  return [...found.values()];
}

/**
 * Lists circles of folders in the sources of all workspaces, and entries of `known` without a circle. Empty when there
 * is none.
 */
export function checkCircles(root: string, workspaces: readonly string[], known = KNOWN_CIRCLES): string[] {
  return workspaces.flatMap((workspace) => {
    const src = `${workspace}/src`;
    const uses = [...sourcesIn(join(root, src))].flatMap((path) => {
      const file = relative(root, path).split(sep).join('/');
      return importsOf(readFileSync(path, 'utf8')).map((specifier) => ({ file, specifier }));
    });
    return judgeCircles(src, circlesOf(src, uses), Object.hasOwn(known, src));
  });
}

/** Puts circles into words. A circle of a known source is no finding; a known source without a circle is a finding. */
export function judgeCircles(src: string, circles: readonly Circle[], isKnown: boolean): string[] {
  if (isKnown) return circles.length > 0 ? [] : [`${src}: has no circle any more: take it from KNOWN_CIRCLES`];
  return circles.map(({ folders, imports }) => {
    const shown = imports.map(({ file, specifier }) => `${file} imports ${specifier}`).join(', ');
    return `${src}: the folders ${folders.join(', ')} import each other: ${shown}`;
  });
}
