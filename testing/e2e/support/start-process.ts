import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { projectRoot } from '@gridtokenx/devnet/root';

/** A whole `npm start` as a process of its own, watched by its lines. */
export class StartProcess {
  readonly lines: string[] = [];
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly #watchers = new Set<(line: string) => void>();

  constructor(args: readonly string[]) {
    this.child = spawn(process.execPath, [join(projectRoot, 'tools/devnet/dist/start/main.js'), ...args], {
      cwd: projectRoot,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (!stream) continue;
      createInterface(stream).on('line', (line) => {
        this.lines.push(line);
        for (const watcher of [...this.#watchers]) watcher(line);
      });
    }
    this.ended = new Promise((resolve) => this.child.once('exit', (code) => resolve(code)));
  }

  /** The next line that matches; rejects when the process ends without one. */
  line(pattern: RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      const watcher = (line: string) => {
        if (!pattern.test(line)) return;
        this.#watchers.delete(watcher);
        resolve(line);
      };
      this.#watchers.add(watcher);
      void this.ended.then((code) => reject(new Error(`ended (${code}) before ${pattern}:\n${this.text()}`)));
    });
  }

  text(): string {
    return this.lines.join('\n');
  }
}

/** Process ids by name, as the start keeps them in its data folder. */
export function processesOf(data: string): Record<string, number> {
  return (JSON.parse(readFileSync(join(data, 'running.json'), 'utf8')) as { processes: Record<string, number> })
    .processes;
}
