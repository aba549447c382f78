/** Something that the person who started us can mend: printed as one line, exit code 2, nothing started. */
export class UserError extends Error {
  override readonly name = 'UserError';
}

const DISK: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: make room',
  EDQUOT: 'the disk quota is used up: make room',
  EROFS: 'the disk is read-only: mount it writable',
  EACCES: 'there is no permission to write: change the owner or the mode',
  EPERM: 'there is no permission to write: change the owner or the mode',
  EIO: 'the disk fails: replace it',
};

/** What an error of the disk below `folder` means to a person, and what to do; other errors keep their own words. */
export function diskProblem(error: unknown, folder: string): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const known = code ? DISK[code] : undefined;
  return known ? `${folder}: ${known}, or give another --data` : message;
}

/** True for errors that `diskProblem` has words for. */
export function isDiskError(error: unknown): boolean {
  return Object.hasOwn(DISK, (error as NodeJS.ErrnoException).code ?? '');
}
