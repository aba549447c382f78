import { closeSync, existsSync, openSync, statSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseJson } from '@gridtokenx/protocol';
import { OperatorError } from '@gridtokenx/runtime/core';
import { makeFolder, operatorErrorOf, parsePlain, readRegularFile, replacePrivateFile } from '@gridtokenx/runtime/node';
import { stringify } from 'yaml';

/**
 * Returns the JSON in a file, or null where there is no file. Throws `OperatorError` with the path where it cannot be
 * read.
 */
export function readJson<T>(path: string): T | null {
  if (!existsSync(path)) return null;
  const text = readRegularFile(path).toString('utf8');
  try {
    return parseJson(text) as T;
  } catch (cause) {
    const problem = (cause as Error).message;
    throw new OperatorError(
      { code: 'damaged-file', file: path, problem, advice: 'restore it from a backup' },
      { cause },
    );
  }
}

/**
 * Writes a value as JSON, durably and for its owner alone, because it describes homes. Makes the folder when it is
 * missing.
 */
export function writeJson(path: string, value: unknown): void {
  replacePrivateFile(path, Buffer.from(`${JSON.stringify(value, null, 1)}\n`));
}

/** Writes a configuration as YAML, like `writeJson`. */
export function writeYaml(path: string, value: unknown): void {
  replacePrivateFile(path, Buffer.from(stringify(value)));
}

/** Returns one text of a map in YAML; null where the file is missing, holds no map, or has no such text. */
export function textIn(path: string, key: string): string | null {
  if (!existsSync(path)) return null;
  const parsed = parsePlain(readRegularFile(path).toString('utf8'));
  const value = parsed.ok ? parsed.value[key] : undefined;
  return typeof value === 'string' ? value : null;
}

/**
 * Checks that a report can be written after a run of hours: makes its folder, and a temporary file in it. Throws
 * `OperatorError`.
 */
export function checkReportPlace(path: string): void {
  const refuse = (problem: string, cause?: unknown) =>
    new OperatorError({ code: 'report', key: `--report ${path}`, problem, advice: 'name another file' }, { cause });
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory()) throw refuse('is a folder');
    if (found && !found.isFile()) throw refuse('is no regular file');
    makeFolder(dirname(path));
    const trial = `${path}.${process.pid}.trial`;
    closeSync(openSync(trial, 'wx'));
    unlinkSync(trial);
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause;
    const why = operatorErrorOf(cause)?.problem ?? String((cause as NodeJS.ErrnoException).code);
    throw refuse(`cannot be written (${why})`, cause);
  }
}
