/** Both entries at once, until every user names the one it means: `@gridtokenx/runtime/core` or `.../node`. */
export * from './core/index.js';
export * from './node/index.js';
