/** One packet to publish: messages of one meter, on one stream. */
export interface Packet {
  readonly meter: string;
  readonly live: boolean;
  /** Kind of all messages in it while live. */
  readonly kind: number;
  readonly messages: readonly Uint8Array[];
}
