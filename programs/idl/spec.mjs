// Describes the programs' interfaces, once. `generate.mjs` writes the IDL files from it; tests compare it with the programs
// themselves. Accounts have explicit padding, so packed and repr(C) are one layout.
import * as registryLayouts from './spec/registry-layouts.mjs';
import { instructions as registryInstructions } from './spec/registry-instructions.mjs';
import * as oracleLayouts from './spec/oracle-layouts.mjs';
import { instructions as oracleInstructions } from './spec/oracle-instructions.mjs';
import * as energyTokenLayouts from './spec/energy-token-layouts.mjs';
import { instructions as energyTokenInstructions } from './spec/energy-token-instructions.mjs';

export const programs = {
  registry: {
    id: 'registry',
    name: 'registry',
    description: 'Who may speak: zones, attestors, users, connection points, meters and their keys',
    instructions: registryInstructions,
    ...registryLayouts,
  },
  oracle: {
    id: 'oracle',
    name: 'oracle',
    description: 'What was metered: one page holds the totals of 256 meters',
    instructions: oracleInstructions,
    ...oracleLayouts,
  },
  energy_token: {
    id: 'energyToken',
    name: 'energy_token',
    description: 'GXT: one token for one metered kilowatt-hour of export, minted once by cursor',
    instructions: energyTokenInstructions,
    ...energyTokenLayouts,
  },
};
