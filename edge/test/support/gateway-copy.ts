import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { GATEWAY_V1 } from '@gridtokenx/testing-kit/gateway-directory';
import { type GatewayConfig, parseGatewayConfig } from '../../src/wiring/config.js';

/** Copies a data directory, the committed one by default, in the place of `data`; returns a configuration for it. */
export function copyGatewayV1(data: string, source = join(GATEWAY_V1, 'data')): GatewayConfig {
  rmSync(data, { recursive: true, force: true });
  mkdirSync(data);
  cpSync(source, data, { recursive: true });
  // Git does not keep the mode of key files.
  for (const file of readdirSync(join(data, 'keys'))) chmodSync(join(data, 'keys', file), 0o600);
  const config = parseGatewayConfig(readFileSync(join(GATEWAY_V1, 'config.yaml'), 'utf8'), 'config.yaml');
  return { ...config, data_dir: data, commit_ms: 0 };
}
