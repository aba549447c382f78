import { OperatorError, type OperatorFault } from '../core/operator-error.js';

/** An error of the system, as Node gives it out: it names the call that failed. */
interface SystemError extends Error {
  readonly code: string;
  readonly syscall: string;
  readonly path?: string;
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
}

/** Node's own errors have a `code` as well (`ERR_...`); only those of the system name a call. */
function isSystemError(error: unknown): error is SystemError {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as Partial<NodeJS.ErrnoException>;
  return typeof code === 'string' && typeof syscall === 'string';
}

type Words = Pick<OperatorFault, 'problem' | 'advice'>;

/** What the disk says, where the person who runs the program can mend it. */
const DISK: Readonly<Record<string, Words>> = {
  ENOSPC: { problem: 'the disk is full', advice: 'make room' },
  EDQUOT: { problem: 'the disk quota is used up', advice: 'make room' },
  EROFS: { problem: 'the disk is read-only', advice: 'mount it writable' },
  EACCES: { problem: 'permission is denied', advice: 'change its owner or mode' },
  EPERM: { problem: 'permission is denied', advice: 'change its owner or mode' },
  EIO: { problem: 'the disk fails', advice: 'replace it' },
};
/** The same for a file that somebody named. */
const PATH: Readonly<Record<string, Words>> = {
  ENOENT: { problem: 'is not there', advice: 'correct the path' },
  ENOTDIR: { problem: 'a part of the path is a file', advice: 'correct the path' },
  EISDIR: { problem: 'is a folder', advice: 'name a file' },
  EEXIST: { problem: 'is there already, and is no folder', advice: 'move it away, or correct the path' },
  ELOOP: { problem: 'its links lead in a circle', advice: 'mend the link' },
  ENAMETOOLONG: { problem: 'its name is too long', advice: 'correct the path' },
};

/**
 * What an error of the system means to the person who runs the program, and what to do; null for every other error, which
 * is a defect of ours. A short list: what is not on it ends with a stack, and a person can tell us.
 */
export function operatorErrorOf(error: unknown): OperatorError | null {
  if (error instanceof OperatorError) return error;
  if (!isSystemError(error)) return null;
  const { code, syscall, path, address, port, hostname } = error;
  if (syscall === 'listen' || syscall === 'bind') {
    const words = listenWords(code, { host: address ?? path ?? 'the address', port });
    return words && new OperatorError(words, { cause: error });
  }
  if ((code === 'ENOTFOUND' || code === 'EAI_AGAIN') && hostname !== undefined) {
    const words = { problem: `the host ${hostname} is not known`, advice: 'correct its name, or look at the network' };
    return new OperatorError({ code: 'unknown-host', ...words }, { cause: error });
  }
  // A file that may not be there yet is our own business; a folder in whose place a file lies is not.
  if (code === 'EEXIST' && syscall !== 'mkdir') return null;
  const words = DISK[code] ?? (path === undefined ? undefined : PATH[code]);
  if (!words) return null;
  return new OperatorError({ code: code.toLowerCase(), file: path, ...words }, { cause: error });
}

interface ListenAddress {
  readonly host: string;
  readonly port?: number | undefined;
}

/**
 * The error for an address that cannot be listened on; `key` names it in the configuration. Every other error comes back
 * as it is.
 */
export function listenError(error: unknown, key: string, address: ListenAddress): unknown {
  if (!isSystemError(error)) return error;
  const words = listenWords(error.code, address);
  return words ? new OperatorError({ key, ...words }, { cause: error }) : error;
}

function listenWords(code: string, { host, port }: ListenAddress): (Words & { code: string }) | null {
  const where = port === undefined ? host : `${host}:${port}`;
  switch (code) {
    case 'EADDRINUSE':
      return {
        code: 'port-taken',
        problem: `${where} is taken`,
        advice: 'stop what listens there, or choose another port',
      };
    case 'EACCES':
      return {
        code: 'port-forbidden',
        problem: `not allowed to listen on ${where}`,
        advice: 'choose a port above 1023',
      };
    case 'EADDRNOTAVAIL':
    case 'EINVAL':
    case 'EAI_AGAIN':
    case 'ENOTFOUND':
      return { code: 'no-address', problem: `${host} is no address of this machine`, advice: 'correct the host' };
    default:
      return null;
  }
}
