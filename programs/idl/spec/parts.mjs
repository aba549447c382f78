// Words of the specification that the programs share.

export const key = 'pubkey';
export const b = (n) => ['u8', n];
export const SYSTEM = '11111111111111111111111111111111';
export const INSTRUCTIONS = 'Sysvar1nstructions1111111111111111111111111';
export const TOKEN_2022 = 'TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb';
export const ASSOCIATED = 'ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL';

export const signer = (name, doc) => ({ name, signer: true, doc });
export const payer = { name: 'payer', signer: true, writable: true, doc: 'Pays the rent of what is created.' };
export const write = (name, doc) => ({ name, writable: true, doc });
export const read = (name, doc) => ({ name, doc });
export const fixed = (name, address) => ({ name, address });
export const system = fixed('system_program', SYSTEM);
