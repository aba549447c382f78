import { execFile } from 'node:child_process';
import type { RunProgram } from './chrony.js';

/** Runs a program with an empty environment, and kills it at its deadline. */
export const runProgram: RunProgram = (file, args, { deadlineMs, mostBytes }) =>
  new Promise((resolve, reject) => {
    const options = { timeout: deadlineMs, killSignal: 'SIGKILL', maxBuffer: mostBytes, env: { LC_ALL: 'C' } } as const;
    execFile(file, [...args], options, (error, stdout) => (error ? reject(error) : resolve(stdout)));
  });
