/** Rules that a control switches off; all are on otherwise. */
export const rules = { gatewaySync: true, ledgerSync: true, isPubackAnAck: false };
