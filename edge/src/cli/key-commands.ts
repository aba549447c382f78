import type { GatewayConfig } from '../wiring/config.js';
import { keyStore, takeDirectory } from '../wiring/setup.js';

/** Encrypts the key files that are not yet encrypted, and prints their names [gateway §2.4]. */
export async function encryptKeys(config: GatewayConfig): Promise<void> {
  await takeDirectory(config);
  const { files } = keyStore(config);
  console.log(JSON.stringify({ encrypted: await files.encrypt(), files: await files.names() }));
}
