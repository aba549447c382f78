/** The floor that every domain may stand on. Pure: no I/O, no `node:*`, no imports. */
export * from './health.js';
export * from './rates.js';
