/** The code that seeds on real processes depend on. */
export const CODE: readonly string[] = [
  ...['protocol', 'runtime', 'edge', 'broker', 'oracle', 'simulators', 'programs/clients', 'programs/sender'].map(
    (name) => `${name}/dist`,
  ),
  'protocol/vectors',
  'tools/audit/dist',
  'tools/devnet/dist',
  ...['artifacts', 'idl', 'ids.json'].map((name) => `programs/${name}`),
  'testing/kit/dist',
  ...['neighbours', 'kill', 'kinds.js', 'runner/state.js', 'runner/ranges.js'].map(
    (name) => `testing/campaigns/dist/${name}`,
  ),
];
