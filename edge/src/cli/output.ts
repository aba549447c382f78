import { closeSync, openSync, realpathSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { OperatorError } from '@gridtokenx/runtime/core';
import { operatorErrorOf } from '@gridtokenx/runtime/node';
import { StartError } from '../wiring/start-error.js';

/**
 * Throws `OperatorError` when a file cannot be written: before the work, not after it. An existing file stays as it is,
 * and a missing one stays missing.
 */
export function refuseUnwritable(path: string): void {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR', syscall: 'open', path });
    if (found) closeSync(openSync(path, 'a'));
    else {
      closeSync(openSync(path, 'wx'));
      unlinkSync(path);
    }
  } catch (error) {
    throw unwritable(path, error);
  }
}

/**
 * Throws `StartError` where `--out` names the configuration or a file in the data directory: writing it would destroy what
 * the gateway needs.
 */
export function refuseOwnFile(out: string, configFile: string, dataDir: string): void {
  const path = realPathOf(out);
  const wrong = (what: string) => new StartError(`--out ${out}: is ${what}; name another file`);
  if (path === realPathOf(configFile)) throw wrong('the configuration');
  if (`${path}${sep}`.startsWith(`${realPathOf(dataDir)}${sep}`))
    throw wrong('in data_dir, which belongs to the gateway');
}

/** Returns the path without links, of a file that need not be there. */
function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const whole = resolve(path);
    return dirname(whole) === whole ? whole : join(realPathOf(dirname(whole)), basename(whole));
  }
}

/** Throws `StartError` when no file can be made in a folder; `key` names the folder in the configuration. */
export function refuseUnwritableFolder(key: string, folder: string): void {
  const path = join(folder, '.write-test');
  try {
    writeFileSync(path, '');
    unlinkSync(path);
  } catch (error) {
    const { problem, advice } = unwritable(folder, error);
    throw new StartError(`${key} ${folder} cannot be written: ${advice === '' ? problem : `${problem}; ${advice}`}`);
  }
}

/** Writes a file atomically: a reader sees the old content or the new, never half. Throws `OperatorError`. */
export function writeWhole(path: string, text: string): void {
  try {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw unwritable(path, error);
  }
}

function unwritable(file: string, error: unknown): OperatorError {
  const known = operatorErrorOf(error);
  if (known) return new OperatorError({ code: known.code, file, problem: known.problem, advice: known.advice });
  const why = (error as NodeJS.ErrnoException).code ?? String(error);
  return new OperatorError({ code: 'unwritable', file, problem: `cannot be written (${why})`, advice: 'name another' });
}
