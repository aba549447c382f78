/** What every service on Node needs and no wire format names: TLS certificates that are renewed, TLS connections. */
export * from './certificate.js';
export * from './dial.js';
