import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '@gridtokenx/devnet/root';
import { peakMbOf } from './processes.js';
import type { BenchRow } from './table.js';

/** The default homes export nothing in the first windows of their morning, and nothing is minted then. */
const WINDOWS = 8;
const SPEED = 60;
const LOOK_EVERY_MS = 500;
/** A separate range, so that a running system does not conflict. */
const PORTS = 27_800;

interface Report {
  readonly close_to_mint_ms: { readonly p50: number | null; readonly p95: number | null; readonly max: number | null };
}

/** Runs the whole system on embedded defaults: measures window close to mint, and the memory of each process. */
export async function benchMint(folder: string): Promise<BenchRow[]> {
  const report = join(folder, 'report.json');
  const main = join(projectRoot, 'tools/devnet/dist/start/main.js');
  const args = ['--windows', `${WINDOWS}`, '--speed', `${SPEED}`, '--exit', '--report', report];
  const child = spawn(process.execPath, [main, ...args, '--data', join(folder, 'data'), '--ports', `${PORTS}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let words = '';
  const keep = (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-1_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const peaks = new Map<string, number>();
  const timer = setInterval(() => lookAt(child.pid ?? 0, peaks), LOOK_EVERY_MS);
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`npm start ended with ${code}: ${words}`);
  const { p50, p95, max } = (JSON.parse(readFileSync(report, 'utf8')) as Report).close_to_mint_ms;
  if (p50 === null || p95 === null || max === null) throw new Error('nothing was minted: no time to tell');
  const row = (name: string, value: number, unit: string): BenchRow => ({ name, value, unit, toBeat: '', goal: '' });
  return [
    ...Object.entries({ p50, p95, max }).map(([name, ms]) => row(`window close to mint, ${name}`, ms, 'ms')),
    ...[...peaks].sort().map(([name, mb]) => row(`largest memory: ${name}`, mb, 'MB')),
  ];
}

/** Records the largest memory of a process and all its descendants, by the part that each runs. */
function lookAt(top: number, peaks: Map<string, number>): void {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = parentOf(Number(entry));
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const waiting = [top];
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    waiting.push(...(children.get(pid) ?? []));
    const name = nameOf(pid);
    const mb = peakMbOf(pid);
    if (name !== null && mb !== null) peaks.set(name, Math.max(mb, peaks.get(name) ?? 0));
  }
}

function parentOf(pid: number): number | null {
  try {
    return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN);
  } catch {
    return null;
  }
}

/**
 * Returns the part of the project that a process runs (`edge run`, `oracle run`); null for other processes and for one
 * that just began.
 */
function nameOf(pid: number): string | null {
  let words: string[];
  try {
    words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return null;
  }
  const script = words.findIndex((word) => /\/dist\/.*main\.js$/.test(word));
  if (script < 0) return null;
  const path = (words[script] ?? '')
    .slice(projectRoot.length + 1)
    .replace(/\/dist\/(main\.js)?/, ' ')
    .replace(/\/main\.js$/, '');
  const command = words[script + 1] ?? '';
  return `${path.trim()}${/^[a-z]+$/.test(command) ? ` ${command}` : ''}`;
}
