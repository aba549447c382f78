/** The base of every domain: time, randomness, logs, errors. Pure: no I/O, no `node:*`, no imports. */
export * from './back-off.js';
export * from './bigints.js';
export * from './clock.js';
export * from './error-text.js';
export * from './frame-meter.js';
export * from './health.js';
export * from './logger.js';
export * from './mutex.js';
export * from './node-version.js';
export * from './operator-error.js';
export * from './placeholder.js';
export * from './random.js';
export * from './rates.js';
export * from './sleep.js';
export * from './state-log.js';
export * from './tls.js';
export * from './unreachable.js';
