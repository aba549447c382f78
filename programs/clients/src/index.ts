/** Typed clients of the on-chain programs: addresses, account layouts, instruction builders, errors. */
export * from './accounts.js';
export * from './attest.js';
export * from './discriminators.js';
export * from './errors.js';
export * from './history.js';
export * from './idl.js';
export * from './ids.js';
export { instructions } from './instructions/index.js';
export * from './pda.js';
