/** What every service on Node needs and no wire format names: TLS, bounded HTTP servers and logs, short questions over HTTP, health. */
export * from './bounded-log.js';
export * from './certificate.js';
export * from './connections.js';
export * from './dial.js';
export * from './disk-space.js';
export * from './health.js';
export * from './http-server.js';
export * from './post.js';
export * from './private-files.js';
export * from './rates.js';
export * from './small-heap.js';
