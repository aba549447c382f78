/** What every service on Node needs and no wire format names: TLS certificates that are renewed, TLS connections, short questions over HTTP. */
export * from './certificate.js';
export * from './dial.js';
export * from './post.js';
