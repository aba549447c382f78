import type { MeterId } from '@gridtokenx/protocol';
import type { SignedMessage } from '../signed-message.js';

/** One packet to publish: messages of one meter, on one stream. */
export interface Packet {
  readonly meterId: MeterId;
  readonly live: boolean;
  /** Kind of all its messages while live. */
  readonly kind: number;
  readonly messages: readonly SignedMessage[];
}
