// What every script of this folder needs: ends that a person can read. Runs on Node 20, imports nothing of ours.

/** Ends with 2, after one line that says what is wrong and what to do: the person who runs the script can mend it. */
export function stop(text) {
  process.stderr.write(`${text}\n`);
  process.exit(2);
}

/** Ends as `stop` where a script that takes no arguments was given some. */
export function refuseArguments(name, given) {
  if (given.length > 0) stop(`${name}: unknown argument "${given[0]}"; it takes none`);
}
