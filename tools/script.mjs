// Shared by every script of this folder: exits that a person can read. Runs on Node 20, imports nothing of ours.

/** Ends with 2, after one line that states the error and the remedy: the user can correct it. */
export function stop(text) {
  process.stderr.write(`${text}\n`);
  process.exit(2);
}

/** Ends like `stop` when a script without arguments was given some. */
export function refuseArguments(name, given) {
  if (given.length > 0) stop(`${name}: unknown argument "${given[0]}"; it takes none`);
}
