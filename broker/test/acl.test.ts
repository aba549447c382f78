import { formatTopic, STREAMS, type Topic } from '@gridtokenx/protocol';
import { describe, expect, it } from 'vitest';
import { allowedFilters, mayPublish, maySubscribe, type Principal } from '../src/domain/acl.js';
import type { KeyRole } from '../src/ports.js';
import { signerOf } from './harness.js';

const key = {
  gateway: signerOf('gateway').publicKey,
  oracle: signerOf('oracle').publicKey,
  operator: signerOf('operator').publicKey,
};
const other = signerOf('other').publicKey;
const meter = new Uint8Array(16).fill(1);
const roles: KeyRole[] = ['gateway', 'oracle', 'operator'];

/** Every topic kind, own and foreign, for the principal with key `own`. */
function topicsFor(own: Uint8Array): Record<string, Topic> {
  const streams = STREAMS.flatMap((stream): [string, Topic][] => [
    [`own ${stream}`, { kind: 'stream', gateway: own, meter, stream }],
    [`foreign ${stream}`, { kind: 'stream', gateway: other, meter, stream }],
  ]);
  return {
    ...Object.fromEntries(streams),
    'own status': { kind: 'gateway-status', gateway: own },
    'foreign status': { kind: 'gateway-status', gateway: other },
    'ack by itself': { kind: 'ack', gateway: other, oracle: own },
    'ack by another': { kind: 'ack', gateway: own, oracle: other },
    'own command': { kind: 'command', gateway: own },
    'foreign command': { kind: 'command', gateway: other },
    'own answer': { kind: 'command-ack', gateway: own },
    'foreign answer': { kind: 'command-ack', gateway: other },
    'own oracle status': { kind: 'oracle-status', oracle: own },
    'foreign oracle status': { kind: 'oracle-status', oracle: other },
    live: { kind: 'live', zone: 1, meter },
  };
}

// The allowed manners of each role, and no others: plain, retained, plain will, retained will.
const ALLOWED: Record<KeyRole, Record<string, [boolean, boolean, boolean, boolean]>> = {
  gateway: {
    'own reading': [true, false, false, false],
    'own window': [true, false, false, false],
    'own event': [true, false, false, false],
    'own backfill': [true, false, false, false],
    'own answer': [true, false, false, false],
    'own status': [true, true, true, true],
  },
  oracle: {
    'ack by itself': [true, true, false, false],
    'own oracle status': [true, true, true, true],
    live: [true, false, false, false],
  },
  operator: {
    'own command': [true, false, false, false],
    'foreign command': [true, false, false, false],
  },
};

describe('mayPublish', () => {
  for (const role of roles) {
    const who: Principal = { role, publicKey: key[role] };
    for (const [name, topic] of Object.entries(topicsFor(who.publicKey))) {
      it(`${role}: ${name}`, () => {
        const text = formatTopic(topic);
        const manners = [
          { retain: false, will: false },
          { retain: true, will: false },
          { retain: false, will: true },
          { retain: true, will: true },
        ];
        const got = manners.map((manner) => mayPublish(who, text, { ...manner, qos: 1 }));
        expect(got).toEqual(ALLOWED[role][name] ?? [false, false, false, false]);
        expect(manners.map((manner) => mayPublish(who, text, { ...manner, qos: 2 }))).toEqual([
          false,
          false,
          false,
          false,
        ]);
      });
    }
  }

  it.each(['', 'gtx/v1', 'gtx/v2/live/1/00', '$SYS/broker/x', 'gtx/v1/live/1/zz', 'gtx/v1/+/status', 'a/b'])(
    'nobody publishes on "%s"',
    (text) => {
      for (const role of roles) {
        expect(mayPublish({ role, publicKey: key[role] }, text, { retain: false, will: false, qos: 1 })).toBe(false);
      }
    },
  );
});

describe('maySubscribe', () => {
  const own = (role: KeyRole): Principal => ({ role, publicKey: key[role] });
  const text = (topic: Topic) => formatTopic(topic);
  const table: [string, string, KeyRole[]][] = [
    ['everything', '#', []],
    ['everything of ours', 'gtx/v1/#', []],
    ['broker topics', '$SYS/#', []],
    ['all readings', 'gtx/v1/+/+/reading', ['oracle']],
    ['all backfill', 'gtx/v1/+/+/backfill', ['oracle']],
    ['one reading topic', text({ kind: 'stream', gateway: other, meter, stream: 'reading' }), []],
    ['all third levels', 'gtx/v1/+/+/+', []],
    ['all gateway statuses', 'gtx/v1/+/status', ['oracle', 'operator']],
    ['own gateway status', text({ kind: 'gateway-status', gateway: key.gateway }), ['gateway', 'operator']],
    ['foreign gateway status', text({ kind: 'gateway-status', gateway: other }), ['operator']],
    ['own acks', text({ kind: 'ack', gateway: key.gateway, oracle: other }).replace(/[^/]+$/, '+'), ['gateway']],
    // Every other spelling that the list allowed would be another entry in the broker's tables.
    ['own ack by one oracle', text({ kind: 'ack', gateway: key.gateway, oracle: other }), []],
    ['own ack by nobody', text({ kind: 'ack', gateway: key.gateway, oracle: other }).replace(/[^/]+$/, 'x1'), []],
    ['a level of live that is endless', `gtx/v1/live/${'9'.repeat(1000)}`, []],
    ['foreign acks', text({ kind: 'ack', gateway: other, oracle: other }), []],
    ['own acks and below', text({ kind: 'ack', gateway: key.gateway, oracle: other }).replace(/[^/]+$/, '#'), []],
    ['own commands', text({ kind: 'command', gateway: key.gateway }), ['gateway']],
    ['foreign commands', text({ kind: 'command', gateway: other }), []],
    ['all commands', 'gtx/v1/+/command', []],
    ['all answers', 'gtx/v1/+/command/ack', ['oracle', 'operator']],
    ['which oracles are online', 'gtx/v1/oracle/+/status', roles],
    ['whether one oracle is online', text({ kind: 'oracle-status', oracle: other }), ['operator']],
    ['all that oracles say', 'gtx/v1/oracle/#', []],
    ['all levels below an oracle', 'gtx/v1/oracle/+/+', []],
    ['live of all zones', 'gtx/v1/live/#', ['operator']],
    ['live of one zone', 'gtx/v1/live/1/+', ['operator']],
    ['live of one meter', text({ kind: 'live', zone: 1, meter }), ['operator']],
  ];
  it.each(table)('%s: %s', (_name, filter, allowed) => {
    expect(roles.filter((role) => maySubscribe(own(role), filter))).toEqual(roles.filter((r) => allowed.includes(r)));
  });

  it('lets everyone subscribe to all that is listed for it', () => {
    for (const role of roles) for (const f of allowedFilters(own(role))) expect(maySubscribe(own(role), f)).toBe(true);
  });
});
