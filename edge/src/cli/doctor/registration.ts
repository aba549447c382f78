import { type Ack, base58Encode, type PublicKeyText } from '@gridtokenx/protocol';
import type { GatewayConfig } from '../../wiring/config.js';
import { type Check, note, problem, unseen, well } from './check.js';
import type { Keyed } from './machine.js';

/** Looks at what the oracles acknowledged of each meter. `acks`: the retained ones; null where nobody could read them. */
export function checkRegistration(
  { oracles }: GatewayConfig,
  keyed: readonly Keyed[],
  acks: ReadonlyMap<PublicKeyText, Ack> | null,
): Check[] {
  const where = ({ name }: Keyed) => `registration, ${name}`;
  if (!acks) return keyed.map((one) => unseen(where(one), 'the doctor has no session with the broker'));
  const names = oracles.map(({ key }) => base58Encode(key));
  const own = [...acks].filter(([oracle]) => names.includes(oracle));
  const strangers = [...acks.keys()].filter((oracle) => !names.includes(oracle));
  if (own.length === 0 && strangers.length > 0)
    return [
      problem(
        'registration',
        `acks come from ${strangers.join(', ')}, an oracle that the configuration does not name: correct oracles[].key`,
      ),
    ];
  return keyed.map((one) => {
    if (!one.isEnrolled) return unseen(where(one), 'it is not enrolled');
    if (own.length === 0)
      return note(where(one), 'no oracle has acknowledged anything yet: that is so before the first run');
    let most = 0n;
    for (const [, ack] of own) {
      const stored = ack.meters.get(one.id)?.storedThrough ?? 0n;
      if (stored > most) most = stored;
    }
    return most > 0n
      ? well(where(one), `acknowledged up to seq ${most}`)
      : problem(
          where(one),
          'the oracles acknowledge this gateway and nothing of this meter: the utility has to register it with what `enrol` writes',
        );
  });
}
