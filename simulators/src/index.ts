/** Homes from real profiles, and simulated meters in front of them that speak real Modbus. */
export * from './clock.js';
export * from './default-profiles.js';
export * from './meter.js';
export * from './modbus-frames.js';
export * from './modbus-server.js';
export * from './models.js';
export * from './profile.js';
export * from './speed.js';
