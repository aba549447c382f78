/** Rules that a control switches off; all are on otherwise. */
export const rules = {
  gatewaySync: true,
  ledgerSync: true,
  /** Stored is what an oracle's signed ack covers, not what the broker answered. */
  ack: true,
  /** The same for dropping from the spool alone: what is left is sent again until the ack. */
  dropAfterAck: true,
  /** The program compares the page's version with the transaction's. */
  pageVersion: true,
};
