// Instructions of the program oracle: accounts in order, arguments [name, type, doc].
import { b, INSTRUCTIONS, payer, write, read, fixed, system } from './parts.mjs';

export const instructions = [
  {
    name: 'create_page',
    doc: 'Creates an empty meter page. Anyone pays.',
    accounts: [payer, read('zone', 'Zone of the registry.'), write('meter_page', 'PDA ["page", zone u16, page u32].'), system],
    args: [['page', 'u32']],
  },
  {
    name: 'activate_slot',
    doc: "Copies a confirmed meter's limits into its slot, which starts without energy. Anyone; changes nothing the second time.",
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
  {
    name: 'submit_statement',
    doc:
      "Raises a slot to what its meter's statement says, verified just before; anyone. Device-signed at once, gateway-signed when the slot is 96 windows behind the chain clock.",
    accounts: [
      write('meter_page', "The page of the meter's slot."),
      read('meter', 'Meter of the registry.'),
      read('config', 'Config of the registry.'),
      fixed('instructions', INSTRUCTIONS),
    ],
    args: [],
  },
  {
    name: 'sync_slot',
    doc: "Copies a meter's limits and status into its slot. Anyone; nothing to change writes nothing; a dispute stays.",
    accounts: [write('meter_page', "The page of the meter's slot."), read('meter', 'Meter of the registry.')],
    args: [['meter_id', b(16), "Must be the meter account's."]],
  },
  {
    name: 'dispute',
    doc:
      "Freezes a slot with a device-signed statement that contradicts it (later window, lower total), verified just before; anyone. On a slot that a submitted statement moved last it convicts the device at once; a slot that nobody signed for cannot be contradicted.",
    accounts: [
      payer,
      write('meter_page', "The page of the meter's slot."),
      read('meter', 'Meter of the registry.'),
      write('dispute', 'PDA ["dispute", zone u16 | page u32 | slot u16].'),
      read('config', 'Config of the registry.'),
      fixed('instructions', INSTRUCTIONS),
      system,
    ],
    args: [],
  },
  {
    name: 'answer',
    doc:
      "Answers a dispute within 96 windows with the device's statement, verified just before, for a window up to the slot's and totals at least the slot's: convicts the device. Anyone.",
    accounts: [
      write('meter_page', "The page of the meter's slot."),
      read('meter', 'Meter of the registry.'),
      write('dispute', "The slot's case."),
      read('config', 'Config of the registry.'),
      fixed('instructions', INSTRUCTIONS),
    ],
    args: [],
  },
  {
    name: 'conclude_dispute',
    doc:
      'Unanswered for 96 windows: convicts the attestors that the slot names. With a verdict that set_status accepted: frees the slot. Anyone.',
    accounts: [
      write('meter_page', "The page of the meter's slot."),
      read('meter', 'Meter of the registry.'),
      write('dispute', "The slot's case."),
    ],
    args: [['meter_id', b(16), "Must be the meter account's."]],
  },
];
