import { systemClock, systemRandom } from '@gridtokenx/runtime/node';
import { rebind } from '../wiring/binding.js';
import type { GatewayConfig } from '../wiring/config.js';
import { keyStore, takeDirectory } from '../wiring/setup.js';

/** Encrypts the key files that are not yet encrypted, and prints their names [gateway §2.4]. */
export async function encryptKeys(config: GatewayConfig): Promise<void> {
  await takeDirectory(config);
  const { files } = keyStore(config);
  console.log(JSON.stringify({ encrypted: await files.encrypt(), files: await files.names() }));
}

/** Binds the keys to this machine after a repair, and prints what they were bound to before [gateway §2.5]. */
export async function rebindKeys(config: GatewayConfig, reason: string): Promise<void> {
  await takeDirectory(config);
  const keys = keyStore(config, { isSigning: false });
  const { before, after } = await rebind(keys, reason, { random: systemRandom, nowMs: systemClock.nowMs() });
  console.log(JSON.stringify({ bound_to: after, before }));
}
