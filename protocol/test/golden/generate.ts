import { ackCases, clockCases, commandCases, cosignCases, reasonCases, timeCases, tokenCases } from './control.js';
import { moreValuesCases, moreValuesMalformed } from './more-values.js';
import { malformedCases, messageCases, payloadCases } from './payloads.js';
import { pointCases } from './points.js';
import { identityCases, merkleCases, sequenceCases, topicCases } from './structures.js';

/** Returns every file of vectors but verify.json, by name. The committed files must equal them. */
export function goldenFiles(): Record<string, object> {
  return {
    'payloads.json': {
      note: 'Payloads, both directions; numbers as decimal text, bytes as hexadecimal',
      cases: payloadCases(),
    },
    'more-values.json': {
      note: 'Payloads of kind 5, as payloads.json, and refused ones, as malformed.json; the programs never read kind 5',
      cases: moreValuesCases(),
      malformed: moreValuesMalformed(),
    },
    'messages.json': { note: 'COSE_Sign1 messages of 171 bytes', cases: messageCases() },
    'malformed.json': { note: 'Refused by every reader, with the number of the reason', cases: malformedCases() },
    'sequences.json': { note: 'MQTT packets: CBOR sequences of messages', cases: sequenceCases() },
    'merkle.json': { note: 'RFC 6962 roots', cases: merkleCases() },
    'identities.json': { note: 'meter_id, point id, network_id', ...identityCases() },
    'points.json': { note: 'Derived connection points, worked out by hand', cases: pointCases() },
    'topics.json': { note: 'MQTT topics', ...topicCases() },
    'tokens.json': { note: 'Sign-in tokens [wire §7.2]', cases: tokenCases() },
    'acks.json': { note: 'Acks [wire §7.3]', cases: ackCases() },
    'commands.json': { note: 'Commands and answers [wire §7.4]', ...commandCases() },
    'cosigns.json': { note: 'Requests to co-sign [wire §7.6]', cases: cosignCases() },
    'time.json': { note: 'Signed time [wire §7.7]', cases: timeCases() },
    'reasons.json': { note: 'Numbers are never reused', reasons: reasonCases() },
    'simulated-clock.json': { note: 'Simulated time and profile position at real instants', cases: clockCases() },
  };
}

/** Returns the committed text of a file of vectors. */
export function fileText(content: object): string {
  return `${JSON.stringify(content, null, 1)}\n`;
}
