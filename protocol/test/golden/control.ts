import {
  type Ack,
  allReasons,
  asWindow,
  base58Encode,
  CommandResult,
  ed25519Signer,
  fromHex,
  parseSimulatedClock,
  positionAt,
  realTimeOf,
  signAck,
  signCommand,
  signCommandAnswer,
  signCosignRequest,
  signTime,
  signToken,
  simulatedNow,
  toHex,
} from '../../src/index.js';
import { hex } from './names.js';
import { messageCases, seedOf } from './payloads.js';

const NONCE = hex('nonce', 16);
const key = (name: string) => toHex(ed25519Signer(seedOf(name)).publicKey);

export function tokenCases(): object[] {
  const clientId = base58Encode(ed25519Signer(seedOf('gateway')).publicKey);
  const tokens = [
    { broker: 'gridtokenx-dev', client_id: clientId, not_before: 1_700_000_000, expiry: 1_700_003_600, nonce: NONCE },
    { broker: 'b', client_id: `${clientId}/2`, not_before: 0, expiry: 1, nonce: '00'.repeat(16) },
    {
      broker: 'ü'.repeat(100),
      client_id: 'x'.repeat(256),
      not_before: 4_294_967_295,
      expiry: 4_294_967_296,
      nonce: 'ff'.repeat(16),
    },
  ];
  return tokens.map((token) => ({
    seed: toHex(seedOf('gateway')),
    public_key: key('gateway'),
    ...token,
    message: toHex(
      signToken(
        {
          broker: token.broker,
          clientId: token.client_id,
          notBefore: token.not_before,
          expiry: token.expiry,
          nonce: fromHex(token.nonce),
        },
        ed25519Signer(seedOf('gateway')),
      ),
    ),
  }));
}

export function ackCases(): object[] {
  const gateway = fromHex(key('gateway'));
  const mark = (storedThrough: bigint, highestSeen: bigint, highestWindow: number) => ({
    storedThrough,
    highestSeen,
    highestWindow: asWindow(highestWindow),
  });
  const acks: [string, Ack][] = [
    ['nothing yet', { ledgerId: fromHex(hex('ledger', 16)), timeMs: 0, gateway, meters: new Map(), refused: [] }],
    [
      'two meters and a refusal',
      {
        ledgerId: fromHex(hex('ledger', 16)),
        timeMs: 1_700_000_000_123,
        gateway,
        meters: new Map([
          [hex('meter', 16), mark(41n, 57n, 1_468_835)],
          [hex('meter 2', 16), mark(0n, 0n, 0)],
        ]),
        refused: [{ hash: fromHex(hex('message', 16)), reason: 6 }],
      },
    ],
    [
      'numbers at their bounds, 200 refusals',
      {
        ledgerId: new Uint8Array(16).fill(255),
        timeMs: Number.MAX_SAFE_INTEGER,
        gateway,
        meters: new Map([[hex('meter', 16), mark(2n ** 64n - 1n, 2n ** 64n - 1n, 2 ** 32 - 1)]]),
        refused: Array.from({ length: 200 }, (_, i) => ({
          hash: fromHex(hex(`message ${i}`, 16)),
          reason: 1 as const,
        })),
      },
    ],
  ];
  return acks.map(([name, ack]) => ({
    name,
    seed: toHex(seedOf('oracle')),
    public_key: key('oracle'),
    ledger_id: toHex(ack.ledgerId),
    time_ms: ack.timeMs,
    gateway: toHex(ack.gateway),
    meters: Array.from(ack.meters, ([id, m]) => ({
      meter_id: id,
      stored_through: String(m.storedThrough),
      highest_seen: String(m.highestSeen),
      highest_window: m.highestWindow,
    })),
    refused: ack.refused.map(({ hash, reason }) => ({ hash: toHex(hash), reason })),
    message: toHex(signAck(ack, ed25519Signer(seedOf('oracle')))),
  }));
}

export function commandCases(): object {
  const gateway = fromHex(key('gateway'));
  const operator = ed25519Signer(seedOf('operator'));
  const args: [string, string | number][] = [
    ['meter', 'home-1'],
    ['seconds', 30],
  ];
  const base = { number: 1n, expiry: 1_700_000_600, nonce: fromHex(NONCE), gateway };
  const commands = [
    { ...base, name: 'status', args: [] as typeof args },
    { ...base, number: 2n ** 64n - 1n, name: 'poll-period', args },
  ];
  const answers = Object.entries(CommandResult).map(([name, result]) => ({
    number: 7n,
    nonce: fromHex(NONCE),
    timeMs: 1_700_000_000_500,
    result,
    text: name === 'obeyed' ? '' : `${name}: why`,
  }));
  return {
    commands: commands.map((command) => ({
      seed: toHex(seedOf('operator')),
      public_key: key('operator'),
      number: String(command.number),
      expiry: command.expiry,
      nonce: NONCE,
      gateway: toHex(gateway),
      name: command.name,
      args: Object.fromEntries(command.args),
      message: toHex(signCommand({ ...command, args: new Map(command.args) }, operator)),
    })),
    answers: answers.map((answer) => ({
      seed: toHex(seedOf('gateway')),
      public_key: key('gateway'),
      number: String(answer.number),
      nonce: NONCE,
      time_ms: answer.timeMs,
      result: answer.result,
      text: answer.text,
      message: toHex(signCommandAnswer(answer, ed25519Signer(seedOf('gateway')))),
    })),
  };
}

export function cosignCases(): object[] {
  const [first = '', second = ''] = messageCases().map((entry) => (entry as { message: string }).message);
  const transaction = hex('a transaction', 32).repeat(20);
  return [
    { name: 'no statements', time_ms: 0, transaction, statements: [] as string[] },
    { name: 'two statements', time_ms: 1_700_000_000_123, transaction, statements: [first, second] },
  ].map((given) => ({
    ...given,
    seed: toHex(seedOf('oracle')),
    public_key: key('oracle'),
    network_id: hex('network', 8),
    to: key('operator'),
    message: toHex(
      signCosignRequest(
        {
          networkId: fromHex(hex('network', 8)),
          timeMs: given.time_ms,
          to: fromHex(key('operator')),
          transaction: fromHex(transaction),
          statements: given.statements.map(fromHex),
        },
        ed25519Signer(seedOf('oracle')),
      ),
    ),
  }));
}

export function timeCases(): object[] {
  return [0, 1_700_000_000_123, Number.MAX_SAFE_INTEGER].map((timeMs) => ({
    seed: toHex(seedOf('oracle')),
    public_key: key('oracle'),
    time_ms: timeMs,
    nonce: NONCE,
    message: toHex(signTime({ timeMs, nonce: fromHex(NONCE) }, ed25519Signer(seedOf('oracle')))),
  }));
}

export function reasonCases(): object[] {
  return allReasons();
}

export function clockCases(): object[] {
  const start = 1_321_000_200_000;
  const clock = {
    version: 1,
    speed: 60,
    anchorSimMs: start,
    anchorRealMs: 1_700_000_000_000,
    reservedThroughMs: start + 36_000_000,
    segments: [
      { simStartMs: start, positionStartMs: 0, positionEndMs: 7_200_000 },
      { simStartMs: start + 14_400_000, positionStartMs: 7_200_000, positionEndMs: null },
    ],
  };
  const at = [-5_000, 0, 1, 60_000, 120_000, 180_000, 240_000, 299_999, 600_000, 600_001, 1e9];
  const parsed = parseSimulatedClock(JSON.stringify(clock));
  const slow = { ...clock, speed: 1, anchorSimMs: clock.anchorRealMs - 900_000 };
  const near = { ...clock, anchorSimMs: clock.anchorRealMs - 60_000, reservedThroughMs: clock.anchorRealMs + 1e7 };
  const positions = (name: string, of: typeof clock) => ({
    name,
    clock: of,
    positions: at.map((elapsed) => {
      const real = of.anchorRealMs + elapsed;
      const sim = simulatedNow(parseSimulatedClock(JSON.stringify({ ...of, segments: clock.segments })), real);
      return { real_ms: real, simulated_ms: sim, position_ms: positionAt(parsed, sim) };
    }),
    real_of_start_plus_hour: realTimeOf(parseSimulatedClock(JSON.stringify(of)), of.anchorSimMs + 3_600_000),
  });
  return [
    positions('two segments at speed 60', clock),
    positions('speed 1, a quarter of an hour behind', slow),
    positions('catches up with real time and goes on at its speed', near),
  ];
}
