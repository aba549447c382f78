/** Sends transactions with effect at most once. Pure: node, store and clock come through ports. */
export * from './attempts.js';
export * from './patience.js';
export * from './ports.js';
export * from './sender.js';
