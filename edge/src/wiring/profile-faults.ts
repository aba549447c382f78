import { OperatorError } from '@gridtokenx/runtime/core';
import type { Fault } from '@gridtokenx/runtime/node';
import { clashOf, ownIds, profileIds } from '../adapters/profiles/files.js';

interface Profiled {
  readonly profiles_dir?: string | undefined;
  readonly meters: readonly { readonly profile: string }[];
}

/** Finds faults of the folder of own profiles, and meters whose profile is neither there nor shipped. */
export function profileFaults({ profiles_dir: own, meters }: Profiled): Fault[] {
  const shipped = profileIds();
  let ids: readonly string[] = [];
  try {
    ids = own === undefined ? [] : ownIds(own);
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    return [{ path: ['profiles_dir'], message: error.message, advice: '' }];
  }
  const faults: Fault[] = [];
  for (const id of ids) {
    const clash = own === undefined ? null : clashOf(id, own);
    if (clash) faults.push({ path: ['profiles_dir'], message: clash.message, advice: '' });
  }
  for (const [i, { profile }] of meters.entries()) {
    if (shipped.includes(profile) || ids.includes(profile)) continue;
    const message = `there is no profile "${profile}": expected one of ${[...shipped, ...ids].join(', ')}`;
    const advice = 'correct it, or write a profile of your own into profiles_dir (docs/profiles.md)';
    faults.push({ path: ['meters', i, 'profile'], message, advice });
  }
  return faults;
}
