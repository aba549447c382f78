/** Both entries at once, until every user imports its own: `@gridtokenx/runtime/core` or `.../node`. */
export * from './core/index.js';
export * from './node/index.js';
