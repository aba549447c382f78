/** Something that the person who started us can mend: printed as one line, exit code 2, nothing started. */
export class UserError extends Error {
  override readonly name = 'UserError';
}
