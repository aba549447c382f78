/** Why nothing can start; the message says what to do. Exit code 2. */
export class StartError extends Error {
  override readonly name = 'StartError';
}
