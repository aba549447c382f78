/** What seeds on real processes depend on. */
export const CODE: readonly string[] = [
  ...['protocol', 'runtime', 'edge', 'broker', 'oracle', 'simulators', 'programs/clients'].map(
    (name) => `${name}/dist`,
  ),
  'protocol/vectors',
  ...['start', 'chain', 'checks', 'files.js', 'root.js'].map((name) => `tools/dist/${name}`),
  ...['artifacts', 'idl', 'ids.json'].map((name) => `programs/${name}`),
  ...['neighbours', 'kill', 'random.js', 'runner/state.js', 'runner/ranges.js'].map(
    (name) => `simulators/campaigns/dist/${name}`,
  ),
];
