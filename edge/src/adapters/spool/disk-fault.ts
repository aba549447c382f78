/** Says what a person can do about a disk that accepts no writes. */
export function describeDiskError(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC') return 'the disk is full: free some space, nothing is lost meanwhile';
  if (code === 'EROFS') return 'the disk is read-only: check the card, nothing new is published meanwhile';
  if (code === 'EIO') return 'the disk reports errors: replace the card';
  if (code === 'EACCES' || code === 'EPERM') return `the spool cannot be written (${message}): check its owner`;
  return `the spool cannot be written: ${message ?? String(error)}`;
}
