/** The oldest Node that has all that is used: what Node trusts by itself, and the stripping of types. */
export const OLDEST_NODE = '22.15';

/**
 * Why `program` cannot run on this Node, in one line that says what to do; null where it can. `version` as in
 * `process.versions.node`. An entry file asks this before it imports anything else: older versions cannot even load the rest.
 */
export function whyNodeIsTooOld(program: string, version: string): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldMajor = 0, oldMinor = 0] = OLDEST_NODE.split('.').map(Number);
  if (major > oldMajor || (major === oldMajor && minor >= oldMinor)) return null;
  return `${program}: Node ${version} is too old; install Node ${OLDEST_NODE} or newer`;
}
