import { base58Encode, formatTopic } from '@gridtokenx/protocol';
import { type Fixture, signerOf } from './harness.js';

/** Who takes part in the tests of the broker, and the topics that they use. */
export const gateway = signerOf('gateway');
export const neighbour = signerOf('neighbour');
export const oracle = signerOf('oracle');
export const operator = signerOf('operator');
export const gatewayName = base58Encode(gateway.publicKey);
const meter = new Uint8Array(16).fill(7);
export const reading = formatTopic({ kind: 'stream', gateway: gateway.publicKey, meter, stream: 'reading' });
export const neighbourReading = formatTopic({ kind: 'stream', gateway: neighbour.publicKey, meter, stream: 'reading' });
export const status = formatTopic({ kind: 'gateway-status', gateway: gateway.publicKey });
export const ack = formatTopic({ kind: 'ack', gateway: gateway.publicKey, oracle: oracle.publicKey });

/** All that a gateway may subscribe to. */
export const GATEWAY_FILTERS = [
  `gtx/v1/${gatewayName}/ack/+`,
  `gtx/v1/${gatewayName}/command`,
  status,
  'gtx/v1/oracle/+/status',
];

/** Puts all of them on the broker's list. */
export function enrol({ keys }: Fixture): void {
  keys.set(gateway, 'gateway');
  keys.set(neighbour, 'gateway');
  keys.set(oracle, 'oracle');
  keys.set(operator, 'operator');
}
