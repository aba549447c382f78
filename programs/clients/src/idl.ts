import energyToken from '../../idl/energy_token.json' with { type: 'json' };
import oracle from '../../idl/oracle.json' with { type: 'json' };
import registry from '../../idl/registry.json' with { type: 'json' };

/** The committed Anchor IDLs (0.1.0). */
export const idl = { registry, oracle, energyToken } as const;
