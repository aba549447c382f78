import { OperatorError, type OperatorFault } from '../core/operator-error.js';

/** An error of the system in Node's form: it names the failed call. */
interface SystemError extends Error {
  readonly code: string;
  readonly syscall: string;
  readonly path?: string;
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
}

/** Returns true for an error of the system, which names a call. Node's own errors have a `code` as well (`ERR_...`). */
function isSystemError(error: unknown): error is SystemError {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as Partial<NodeJS.ErrnoException>;
  return typeof code === 'string' && typeof syscall === 'string';
}

type Words = Pick<OperatorFault, 'problem' | 'advice'>;

/** Errors of the disk that the operator can repair. */
const DISK: Readonly<Record<string, Words>> = {
  ENOSPC: { problem: 'the disk is full', advice: 'make room' },
  EDQUOT: { problem: 'the disk quota is used up', advice: 'make room' },
  EROFS: { problem: 'the disk is read-only', advice: 'mount it writable' },
  EACCES: { problem: 'permission is denied', advice: 'change its owner or mode' },
  EPERM: { problem: 'permission is denied', advice: 'change its owner or mode' },
  EIO: { problem: 'the disk fails', advice: 'replace it' },
};
/** Errors of a file that somebody named. */
const PATH: Readonly<Record<string, Words>> = {
  ENOENT: { problem: 'is not there', advice: 'correct the path' },
  ENOTDIR: { problem: 'a part of the path is a file', advice: 'correct the path' },
  EISDIR: { problem: 'is a folder', advice: 'name a file' },
  EEXIST: { problem: 'is there already, and is no folder', advice: 'move it away, or correct the path' },
  ELOOP: { problem: 'its links lead in a circle', advice: 'mend the link' },
  ENAMETOOLONG: { problem: 'its name is too long', advice: 'correct the path' },
};

/**
 * Returns the operator's view of a system error, with advice; null for every other error, which is a defect of the program. The
 * list is short: an unlisted error ends with a stack, which a person can report.
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
  // An existing file is a defect of the program; only a file in a folder's place is the operator's to repair.
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
 * Returns the error for an address that cannot be used; `key` names it in the configuration. Returns every other error
 * unchanged.
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
