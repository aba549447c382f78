/** Rules that a control switches off; all are on otherwise. */
export const rules = {
  gatewaySync: true,
  ledgerSync: true,
  /** The state on disk reserves seqs before a gateway signs with them. */
  seqReservation: true,
  /** An oracle's signed ack means stored, and the broker's answer does not. */
  ack: true,
  /** The same for dropping from the spool alone: the gateway sends the remaining messages again until the ack. */
  dropAfterAck: true,
  /** The program compares the page's version with the transaction's. */
  pageVersion: true,
};
