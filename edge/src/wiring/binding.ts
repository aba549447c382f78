import type { Random } from '@gridtokenx/runtime/core';
import { type Binding, bindingOf, bindTo, isBoundHere } from '../adapters/keys/binding.js';
import { type HardwareNumber, readHardware } from '../adapters/keys/hardware.js';
import { GATEWAY_FILE, type KeyStore } from '../adapters/keys/key-store.js';
import { StartError } from './start-error.js';

export type Hardware = () => readonly HardwareNumber[];

/** Longest reason of `rebind`, and how many of them are kept. */
export const MAX_REASON = 200;
const MAX_REBOUND = 16;

/** Returns what the keys are bound to. Throws `StartError` on other hardware, where nothing may be signed. */
export async function checkBinding(keys: KeyStore, hardware: Hardware = readHardware): Promise<Binding['source']> {
  const { binding } = await readBinding(keys);
  const here = hardware();
  if (isBoundHere(binding, here)) return binding.source;
  const what =
    here.length === 0
      ? `the keys in ${keys.files.dir} are bound to hardware (${binding.source}), and this machine shows none`
      : `the keys in ${keys.files.dir} are bound to another machine (${binding.source}): a copied card signs nothing`;
  throw new StartError(`${what}; put it back, or after a repair run "gridtokenx-gateway rebind" with the reason`);
}

/**
 * Binds the keys to this hardware, by a person's word, and stores the reason. Returns the binding before and after.
 * Throws `StartError` for a reason that is empty or too long.
 */
export async function rebind(
  keys: KeyStore,
  reason: string,
  { hardware = readHardware as Hardware, random, nowMs }: { hardware?: Hardware; random: Random; nowMs: number },
): Promise<{ readonly before: Binding['source']; readonly after: Binding['source'] }> {
  const text = reason.trim();
  if (text === '' || text.length > MAX_REASON)
    throw new StartError(`--reason: expected 1 to ${MAX_REASON} characters that say why the machine is another one`);
  const { fields, binding: before } = await readBinding(keys);
  const binding = bindTo(hardware(), random);
  const earlier = Array.isArray(fields.rebound) ? fields.rebound : [];
  const rebound = [...earlier, { time_ms: nowMs, reason: text, from: before.source }].slice(-MAX_REBOUND);
  await keys.files.change(GATEWAY_FILE, fields, { binding, rebound });
  return { before: before.source, after: binding.source };
}

async function readBinding({ files }: KeyStore) {
  const fields = await files.read(GATEWAY_FILE);
  if (!fields) throw new StartError('there is no gateway key yet: run "init" first');
  const binding = bindingOf(fields.binding);
  if (binding) return { fields, binding };
  const advice = 'restore it from a backup of the data directory';
  throw new StartError(`${files.dir}/${GATEWAY_FILE}: its binding is damaged: ${advice}`);
}
