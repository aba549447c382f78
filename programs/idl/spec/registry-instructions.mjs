// Instructions of the program registry: accounts in order, arguments [name, type, doc].
import { key, b, INSTRUCTIONS, signer, payer, write, read, fixed, system } from './parts.mjs';

export const instructions = [
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
      ['development', 'bool', 'True takes enrolments of any age, and allows one attestor.'],
    ],
  },
  {
    name: 'create_zone',
    doc: 'Creates a zone without attestors.',
    accounts: [signer('authority', 'Config.authority.'), payer, read('config', 'PDA ["config"].'), write('zone', 'PDA ["zone", zone u16].'), system],
    args: [
      ['zone', 'u16'],
      ['utility', key, 'Wallet of the utility that serves the zone.'],
      ['capacity_w', 'u64', 'Capacity of the feeder in watts, at most 10 GW: bounds confirmed limits and minting.'],
    ],
  },
  {
    name: 'announce_attestors',
    doc: "Names the next attestor set; 96 windows later anyone installs it. A zone's first set is in force at once.",
    accounts: [signer('authority', 'Config.authority.'), read('config', 'PDA ["config"].'), write('zone', 'PDA ["zone", zone u16].')],
    args: [
      ['threshold', 'u8', 'How many must sign; at least 2 outside development.'],
      ['attestors', { vec: key }, '1 to 7 distinct keys; their order gives the bits of the signer bitmap.'],
    ],
  },
  {
    name: 'install_attestors',
    doc: 'Puts the announced attestor set in force, 96 windows after its announcement: the epoch rises, the set before it is kept. Anyone.',
    accounts: [write('zone', 'PDA ["zone", zone u16].')],
    args: [],
  },
  {
    name: 'cancel_attestors',
    doc: "Takes the announced attestor set back. Further accounts: the zone's utility as signer, or attestors of the set in force that have signed, at least Zone.threshold of them.",
    accounts: [write('zone', 'PDA ["zone", zone u16].')],
    args: [],
  },
  {
    name: 'register_user',
    doc: 'Registers a wallet in a zone with a role. Signed by the utility of the zone or by Config.authority.',
    accounts: [
      signer('authority', 'Zone.utility or Config.authority.'),
      payer,
      read('config', 'PDA ["config"].'),
      read('zone', 'PDA ["zone", zone u16].'),
      write('user', 'PDA ["user", zone u16, wallet].'),
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
      "Registers a meter with the enrolment message (payload kind 4) that its key signed: the Ed25519 verification is the instruction just before this one. Creates the connection point if it is new. The record waits for confirm_meter: it has no slot and no limits. While it was never confirmed it may be registered anew.",
    accounts: [
      signer('authority', "Zone.utility, or a user of the zone with role installer or utility operator."),
      payer,
      read('config', 'PDA ["config"].'),
      read('zone', 'PDA ["zone", zone u16].'),
      { name: 'authority_user', optional: true, doc: 'PDA ["user", zone u16, authority]; absent (this program) when the utility itself signs.' },
      read('owner_user', "PDA [\"user\", zone u16, owner named in the message]: registered as active."),
      write('point', 'PDA ["point", zone u16, commitment].'),
      write('meter', 'PDA ["meter", zone u16, meter_id].'),
      fixed('instructions', INSTRUCTIONS),
      system,
    ],
    args: [
      ['point_commitment', b(32), "Commitment to the utility's account number."],
    ],
  },
  {
    name: 'confirm_meter',
    doc:
      "Lets a pending meter speak: the utility sets its limits. A meter of role point takes its connection point, its part of the zone's capacity and the zone's next slot.",
    accounts: [
      signer('utility', 'Zone.utility.'),
      write('zone', 'PDA ["zone", zone u16].'),
      write('meter', 'PDA ["meter", zone u16, meter_id].'),
      write('point', "The meter's connection point."),
    ],
    args: [
      ['device_key', key, 'The key that the utility looked at; another one on record is refused.'],
      ['enrolment', b(16), 'First 16 bytes of SHA-256 of the enrolment payload that the utility looked at; another one is refused.'],
      ['export_limit_w', 'u32', "W; the sum over the zone stays within its capacity."],
      ['import_limit_w', 'u32', 'W.'],
      ['register_step_wh', 'u32', "The meter's register resolution, at most 1,000 Wh; part of the cap of a rise."],
      ['tariff_class', 'u16', '0 to 15.'],
      ['device_signed', 'bool', 'The utility accepts that the device signs for itself; its enrolment must claim it.'],
    ],
  },
  {
    name: 'rotate_key',
    doc:
      "Gives a meter another key: the new key's enrolment message (next key epoch) is verified just before; the old key's verification of the same message stands before that, or in recovery Config.authority signs. Refused while the slot is disputed and within 96 windows of the last change.",
    accounts: [
      signer('utility', 'Zone.utility.'),
      { name: 'authority', optional: true, signer: true, doc: 'Config.authority in recovery; else absent (this program).' },
      read('config', 'PDA ["config"].'),
      read('zone', "The meter's zone."),
      { name: 'meter_page', optional: true, doc: 'The page of its slot; absent (this program) for a meter without one.' },
      write('meter', 'PDA ["meter", zone u16, meter_id].'),
      fixed('instructions', INSTRUCTIONS),
    ],
    args: [['recovery', 'bool', 'The old key is lost or stolen.']],
  },
  {
    name: 'replace_meter',
    doc:
      "Another device takes over the slot of a suspended meter, with an enrolment message by its own key just before. The new record carries the slot's totals exactly; the old record keeps no slot. sync_slot then makes the slot active.",
    accounts: [
      signer('utility', 'Zone.utility.'),
      payer,
      read('config', 'PDA ["config"].'),
      write('zone', "The meter's zone."),
      read('meter_page', 'The page of the slot, suspended there.'),
      write('old_meter', 'The suspended meter.'),
      write('meter', 'PDA ["meter", zone u16, meter_id of the message].'),
      write('point', "The old meter's connection point."),
      fixed('instructions', INSTRUCTIONS),
      system,
    ],
    args: [
      ['export_limit_w', 'u32', "W; the sum over the zone stays within its capacity."],
      ['import_limit_w', 'u32', 'W.'],
      ['register_step_wh', 'u32', "The meter's register resolution, at most 1,000 Wh; part of the cap of a rise."],
      ['tariff_class', 'u16', '0 to 15.'],
      ['device_signed', 'bool', 'The utility accepts that the device signs for itself; its enrolment must claim it.'],
    ],
  },
  {
    name: 'set_status',
    doc:
      "Suspends, closes or reactivates a meter. Reactivation wants a slot that is suspended, or disputed with a verdict, and a statement of the meter's present key verified just before: the slot's totals stay, what the registers show beyond them moves into the baseline.",
    accounts: [
      signer('utility', 'Zone.utility.'),
      write('zone', "The meter's zone."),
      write('meter', 'PDA ["meter", zone u16, meter_id].'),
      write('point', "The meter's connection point."),
      { name: 'meter_page', optional: true, doc: 'The page of its slot; absent (this program) for a meter without one.' },
      { name: 'dispute', optional: true, doc: "The slot's case, whose verdict is accepted; else absent (this program)." },
      read('config', 'PDA ["config"].'),
      fixed('instructions', INSTRUCTIONS),
    ],
    args: [['status', 'u8', '1 active, 2 suspended, 3 closed.']],
  },
];
