/** The floor for adapters and mains on Node. Domains never import it. */
export * from './bounded-log.js';
export * from './certificate.js';
export * from './config/load.js';
export * from './config/located.js';
export * from './connections.js';
export * from './dial.js';
export * from './disk-space.js';
export * from './http-server.js';
export * from './post.js';
export * from './private-files.js';
export * from './small-heap.js';
