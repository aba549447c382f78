// What the programs look like from outside, written once. `generate.mjs` makes the IDL files of it; tests hold it against
// the programs themselves. Fields are [name, type, doc]; accounts have explicit padding, so packed and repr(C) are one layout.

export const constants = { windowSeconds: 900, slotsPerPage: 256 };

const key = 'pubkey';
const b = (n) => ['u8', n];
const SYSTEM = '11111111111111111111111111111111';
const INSTRUCTIONS = 'Sysvar1nstructions1111111111111111111111111';
const TOKEN_2022 = 'TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb';
const ASSOCIATED = 'ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL';

const signer = (name, doc) => ({ name, signer: true, doc });
const payer = { name: 'payer', signer: true, writable: true, doc: 'Pays the rent of what is created.' };
const write = (name, doc) => ({ name, writable: true, doc });
const read = (name, doc) => ({ name, doc });
const fixed = (name, address) => ({ name, address });
const system = fixed('system_program', SYSTEM);

export const programs = {
  registry: {
    id: 'registry',
    name: 'registry',
    description: 'Who may speak: zones, attestors, users, connection points, meters and their keys',
    instructions: [
      {
        name: 'initialize',
        doc: "Creates Config, once. Only the program's upgrade authority, as its ProgramData account names it.",
        accounts: [
          signer('upgrade_authority', "The program's upgrade authority."),
          payer,
          write('config', 'PDA ["config"].'),
          read('program', "This program's own account."),
          read('program_data', 'Its ProgramData account.'),
          system,
        ],
        args: [
          ['authority', key, 'Who administers the registry from now on.'],
          ['genesis_hash', b(32), 'Genesis hash of the cluster; goes into network_id.'],
          ['salt', b(16), 'Random; goes into network_id.'],
          ['development', 'bool', 'True lifts the rules that count windows against the chain clock, and allows one attestor.'],
        ],
      },
      {
        name: 'create_zone',
        doc: 'Creates a zone without attestors.',
        accounts: [signer('authority', 'Config.authority.'), payer, read('config', 'PDA ["config"].'), write('zone', 'PDA ["zone", zone u16].'), system],
        args: [
          ['zone', 'u16'],
          ['utility', key, 'Wallet of the utility that serves the zone.'],
          ['capacity_w', 'u64', 'Capacity of the feeder in watts, for the oracles to judge plausibility.'],
        ],
      },
      {
        name: 'set_zone_attestors',
        doc: 'Replaces the attestor set: the epoch rises, the previous set is kept, the next change waits 96 windows (not in development).',
        accounts: [signer('authority', 'Config.authority.'), read('config', 'PDA ["config"].'), write('zone', 'PDA ["zone", zone u16].')],
        args: [
          ['threshold', 'u8', 'How many must sign; at least 2 outside development.'],
          ['attestors', { vec: key }, '1 to 7 distinct keys; their order gives the bits of the signer bitmap.'],
        ],
      },
      {
        name: 'register_user',
        doc: 'Registers a wallet in a zone with a role. Signed by the utility of the zone or by Config.authority.',
        accounts: [
          signer('authority', 'Zone.utility or Config.authority.'),
          payer,
          read('config', 'PDA ["config"].'),
          read('zone', 'PDA ["zone", zone u16].'),
          write('user', 'PDA ["user", wallet].'),
          system,
        ],
        args: [
          ['wallet', key],
          ['commitment', b(32), 'Commitment to the identity record that is kept off chain.'],
          ['role', 'u8', '1 owner, 2 installer, 3 utility operator.'],
        ],
      },
      {
        name: 'register_meter',
        doc:
          "Registers a meter with the enrolment message (payload kind 4) that its key signed: the Ed25519 verification is the instruction just before this one. Creates the connection point if it is new. A meter of role point gets the zone's next slot.",
        accounts: [
          signer('authority', "Zone.utility, or a user of the zone with role installer or utility operator."),
          payer,
          read('config', 'PDA ["config"].'),
          write('zone', 'PDA ["zone", zone u16].'),
          { name: 'authority_user', optional: true, doc: 'PDA ["user", authority]; absent (this program) when the utility itself signs.' },
          read('owner_user', "PDA [\"user\", owner named in the message]: registered as active."),
          write('point', 'PDA ["point", zone u16, commitment].'),
          write('meter', 'PDA ["meter", meter_id].'),
          fixed('instructions', INSTRUCTIONS),
          system,
        ],
        args: [
          ['point_commitment', b(32), "Commitment to the utility's account number."],
          ['export_limit_w', 'u32'],
          ['import_limit_w', 'u32'],
          ['register_step_wh', 'u32', "The meter's register resolution; part of the cap of a rise."],
          ['tariff_class', 'u16'],
        ],
      },
    ],
    accounts: {
      Config: [
        ['authority', key],
        ['pending_authority', key],
        ['salt', b(16)],
        ['network_id', b(8), 'First 8 bytes of SHA-256(genesis hash, oracle program id, salt).'],
        ['genesis_hash', b(32)],
        ['bump', 'u8'],
        ['development', 'u8', '1 on a development chain.'],
        ['reserved', b(70)],
      ],
      Zone: [
        ['zone', 'u16'],
        ['bump', 'u8'],
        ['attestor_count', 'u8'],
        ['threshold', 'u8'],
        ['previous_count', 'u8'],
        ['previous_threshold', 'u8'],
        ['padding', 'u8'],
        ['epoch', 'u32', 'Attestor-set epoch; a slot keeps its low 8 bits.'],
        ['changed_window', 'u32', 'Window (chain clock) of the last change of the set.'],
        ['meter_count', 'u32', 'Slots assigned: meters of role point.'],
        ['page_count', 'u32', 'Pages with at least one assigned slot.'],
        ['evidence_count', 'u32', 'Production and consumption meters.'],
        ['padding2', b(4)],
        ['capacity_w', 'u64'],
        ['utility', key],
        ['attestors', [key, 7]],
        ['previous_attestors', [key, 7]],
        ['reserved', b(64)],
      ],
      User: [
        ['wallet', key],
        ['commitment', b(32)],
        ['registered_window', 'u32', 'Window (chain clock) of the registration.'],
        ['zone', 'u16'],
        ['role', 'u8', '1 owner, 2 installer, 3 utility operator.'],
        ['status', 'u8', '1 active, 2 suspended.'],
        ['bump', 'u8'],
        ['reserved', b(39)],
      ],
      Point: [
        ['commitment', b(32)],
        ['meter_id', b(16), 'The live meter of role point; zero when there is none.'],
        ['zone', 'u16'],
        ['bump', 'u8'],
        ['reserved', b(37)],
      ],
      Meter: [
        ['meter_id', b(16)],
        ['owner', key],
        ['device_key', key],
        ['previous_key', key],
        ['point', key, 'Address of its Point account.'],
        ['installer', key],
        ['page', 'u32', '4294967295 when it has no slot.'],
        ['zone', 'u16'],
        ['slot', 'u16', '65535 when it has no slot.'],
        ['export_limit_w', 'u32'],
        ['import_limit_w', 'u32'],
        ['register_step_wh', 'u32'],
        ['enrolment_window', 'u32', 'From the enrolment message.'],
        ['first_valid_window', 'u32'],
        ['key_epoch', 'u32'],
        ['previous_key_last_window', 'u32'],
        ['last_rotation_window', 'u32'],
        ['baseline_import_wh', 'u64'],
        ['baseline_export_wh', 'u64'],
        ['carried_import_wh', 'u64'],
        ['carried_export_wh', 'u64', 'Total = carried + raw - baseline.'],
        ['tariff_class', 'u16'],
        ['alg', 'u8', '1 Ed25519.'],
        ['signer_level', 'u8', '0 gateway-signed, 1 device-signed.'],
        ['role', 'u8', '0 point, 1 production, 2 consumption.'],
        ['source', 'u8', '0 none, 1 solar, 2 wind, 3 storage, 4 hybrid, 5 other.'],
        ['status', 'u8', '1 active, 2 suspended, 3 closed.'],
        ['bump', 'u8'],
        ['reserved', b(64)],
      ],
    },
    events: {
      Initialized: [['authority', key], ['network_id', b(8)], ['development', 'bool']],
      ZoneCreated: [['zone', 'u16'], ['utility', key], ['capacity_w', 'u64']],
      AttestorsSet: [['zone', 'u16'], ['epoch', 'u32'], ['threshold', 'u8'], ['attestors', 'u8', 'How many.']],
      UserRegistered: [['wallet', key], ['zone', 'u16'], ['role', 'u8']],
      MeterRegistered: [
        ['meter_id', b(16)], ['owner', key], ['device_key', key], ['zone', 'u16'], ['page', 'u32'], ['slot', 'u16'],
        ['role', 'u8'], ['signer_level', 'u8'], ['enrolment_window', 'u32'],
      ],
    },
  },
  oracle: {
    id: 'oracle',
    name: 'oracle',
    description: 'What was metered: one page holds the totals of 256 meters',
    instructions: [
      {
        name: 'create_page',
        doc: 'Creates an empty meter page. Anyone pays.',
        accounts: [payer, read('zone', 'Zone of the registry.'), write('meter_page', 'PDA ["page", zone u16, page u32].'), system],
        args: [['page', 'u32']],
      },
      {
        name: 'activate_slot',
        doc: "Copies a registered meter's limits and carried totals into its slot. Anyone; changes nothing the second time.",
        accounts: [write('meter_page', "The page of the meter's slot."), read('meter', 'Meter of the registry, role point.')],
        args: [['meter_id', b(16), 'Must be the meter account\'s; in the data so that the history needs no other source.']],
      },
      {
        name: 'attest_page',
        doc: "Raises the totals of the slots in the bitmap. Further accounts: the attestors of the zone that have signed, at least Zone.threshold of them.",
        accounts: [write('meter_page', 'The page.'), read('zone', "The page's zone in the registry.")],
        args: [
          ['version', 'u64', "The page's version in the read that this was built on."],
          ['moves', 'u32', "The page's moves in the same read."],
          ['window', 'u32', 'The window that the totals belong to.'],
          ['root', b(32), 'RFC 6962 root over the statement payloads of the set slots, in slot order.'],
          ['bitmap', b(32), 'Bit i of byte j is slot 8j+i.'],
          ['totals', 'bytes', 'For each set slot export and import: LEB128 groups with the low bits of the new total.'],
        ],
      },
    ],
    accounts: {
      MeterPage: [
        ['version', 'u64', 'Raised only by attest_page.'],
        ['moves', 'u32', "Raised by everything else that changes a slot's total or window."],
        ['highest_window', 'u32'],
        ['last_root', b(32)],
        ['history', b(32), 'SHA-256(old, tag, signer bitmap, data, statement payload or written slot) over every change.'],
        ['page', 'u32'],
        ['zone', 'u16'],
        ['bump', 'u8'],
        ['format', 'u8', '1.'],
        ['slots', [{ defined: { name: 'MeterSlot' } }, 256]],
      ],
    },
    types: {
      MeterSlot: [
        ['export_wh', 'u64', 'Since enrolment.'],
        ['import_wh', 'u64', 'Since enrolment.'],
        ['window', 'u32', 'Of the totals.'],
        ['export_cap', 'u32', 'Wh per window.'],
        ['import_cap', 'u32', 'Wh per window.'],
        ['flags', 'u16', '1 active, 2 disputed, 4 extra, 8 moved, 16 closed.'],
        ['attestors', 'u8', 'Signer bitmap of the last accepted attest_page; 0 when anyone moved it.'],
        ['epoch', 'u8', 'Low 8 bits of the attestor-set epoch.'],
      ],
    },
    events: {
      PageCreated: [['zone', 'u16'], ['page', 'u32']],
      SlotActivated: [['meter_id', b(16)], ['zone', 'u16'], ['page', 'u32'], ['slot', 'u16'], ['window', 'u32'], ['moves', 'u32']],
      PageAttested: [
        ['zone', 'u16'], ['page', 'u32'], ['version', 'u64', 'After the raise.'], ['window', 'u32'], ['signers', 'u8', 'Bitmap.'],
        ['skipped', b(32), 'Bitmap of the slots that were set and not accepted.'], ['root', b(32)], ['history', b(32)],
      ],
    },
  },
  energy_token: {
    id: 'energyToken',
    name: 'energy_token',
    description: 'GXT: one token for one metered kilowatt-hour of export, minted once by cursor',
    instructions: [
      {
        name: 'initialize',
        doc: 'Creates the mint (Token-2022, 6 decimals, metadata, no freeze authority) and the pool vault. Anyone: nothing in it can be chosen.',
        accounts: [
          payer,
          write('token_config', 'PDA ["config"].'),
          write('mint', 'PDA ["mint"].'),
          read('mint_authority', 'PDA ["mint_authority"].'),
          read('vault_authority', "PDA [\"vault_authority\"] of the trading program: owns the pool vault."),
          write('vault', "The vault authority's associated token account."),
          fixed('token_program', TOKEN_2022),
          fixed('associated_token_program', ASSOCIATED),
          system,
        ],
        args: [],
      },
      {
        name: 'create_ledger_page',
        doc: 'Creates a ledger page in two steps, because one instruction may add 10,240 bytes: call it twice, in one transaction if wanted.',
        accounts: [payer, write('ledger_page', 'PDA ["ledger", zone u16, page u32].'), system],
        args: [['zone', 'u16'], ['page', 'u32']],
      },
      {
        name: 'set_destination',
        doc: "Where the owner's energy is minted to from now on.",
        accounts: [signer('owner', 'Meter.owner.'), read('meter', 'Meter of the registry, role point.'), write('ledger_page', "The page of the meter's slot.")],
        args: [['destination', 'u8', '0 pool, 1 wallet.']],
      },
      {
        name: 'mint_page',
        doc: 'Mints export - minted of every pool slot of a page to the pool vault with one mint_to. Anyone; moves nothing the second time.',
        accounts: [
          read('token_config', 'PDA ["config"].'),
          read('meter_page', 'Page of the oracle program.'),
          write('ledger_page', 'The ledger page of the same zone and number.'),
          write('mint', 'GXT.'),
          write('vault', 'The pool vault.'),
          read('mint_authority', 'PDA ["mint_authority"].'),
          fixed('token_program', TOKEN_2022),
        ],
        args: [],
      },
      {
        name: 'mint_meter',
        doc: "Mints export - minted of one wallet slot to its owner's associated token account. Anyone; moves nothing the second time.",
        accounts: [
          read('token_config', 'PDA ["config"].'),
          read('meter', 'Meter of the registry.'),
          read('meter_page', "The page of the meter's slot."),
          write('ledger_page', 'The ledger page of the same zone and number.'),
          write('mint', 'GXT.'),
          write('owner_token', "The owner's associated token account."),
          read('mint_authority', 'PDA ["mint_authority"].'),
          fixed('token_program', TOKEN_2022),
        ],
        args: [],
      },
    ],
    accounts: {
      TokenConfig: [
        ['mint', key],
        ['vault', key],
        ['vault_authority', key],
        ['bump', 'u8'],
        ['mint_bump', 'u8'],
        ['mint_authority_bump', 'u8'],
        ['reserved', b(61)],
      ],
      LedgerPage: [
        ['lost_wh', 'u64', 'Energy lost on the way between zones, burned.'],
        ['page', 'u32'],
        ['zone', 'u16'],
        ['bump', 'u8'],
        ['format', 'u8', '1.'],
        ['reserved', b(40)],
        ['slots', [{ defined: { name: 'LedgerSlot' } }, 256]],
      ],
    },
    types: {
      LedgerSlot: [
        ['minted_wh', 'u64'],
        ['pooled_wh', 'u64'],
        ['retired_wh', 'u64'],
        ['sold_back_wh', 'u64'],
        ['certified_wh', 'u64'],
        ['import_closed_wh', 'u64', 'Import at the last market close.'],
        ['flags', 'u32', '1: destination is the wallet, else the pool.'],
        ['padding', 'u32'],
      ],
    },
    events: {
      TokenInitialized: [['mint', key], ['vault', key]],
      LedgerPageCreated: [['zone', 'u16'], ['page', 'u32']],
      DestinationSet: [['meter_id', b(16)], ['zone', 'u16'], ['page', 'u32'], ['slot', 'u16'], ['destination', 'u8']],
      PageMinted: [['zone', 'u16'], ['page', 'u32'], ['slots', 'u16'], ['minted_wh', 'u64'], ['amount', 'u64']],
      MeterMinted: [
        ['meter_id', b(16)], ['owner', key], ['zone', 'u16'], ['page', 'u32'], ['slot', 'u16'], ['minted_wh', 'u64'], ['amount', 'u64'],
      ],
    },
  },
};
