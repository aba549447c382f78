/** The oldest Node with all used features: Node's own trusted authorities, and the stripping of types. */
export const OLDEST_NODE = '22.15';

/**
 * Returns why `program` cannot run on this Node, with advice, in one line; null when it can. `version` as in
 * `process.versions.node`. An entry file calls this before it imports anything else: older versions cannot even load the rest.
 */
export function whyNodeIsTooOld(program: string, version: string): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldMajor = 0, oldMinor = 0] = OLDEST_NODE.split('.').map(Number);
  if (major > oldMajor || (major === oldMajor && minor >= oldMinor)) return null;
  return `${program}: Node ${version} is too old; install Node ${OLDEST_NODE} or newer`;
}
