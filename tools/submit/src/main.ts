import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  accountDiscriminator,
  accountSizes,
  decodeConfig,
  decodeMeter,
  decodeMeterPage,
  instructions,
  type Meter,
  parseChainError,
  pda,
  programIds,
} from '@gridtokenx/chain-client';
import { connectTo } from '@gridtokenx/devnet/chain/connection';
import { sendAndConfirm } from '@gridtokenx/devnet/start/send';
import { base58Encode, fromHex } from '@gridtokenx/protocol';
import { errorText, OperatorError } from '@gridtokenx/runtime/core';
import { type Command, ExitCode, runCli, watchOutput } from '@gridtokenx/runtime/node';
import { type Connection, type Keypair, type PublicKey, SYSVAR_CLOCK_PUBKEY, SystemProgram } from '@solana/web3.js';
import { judge, type Seen } from './judge.js';
import { isSignedBy, readPayer, readStatement, type StatementIn } from './statement-file.js';

/** Maximum number of files of one call: a month of windows. */
const MAX_FILES = 2_880;
/** Offset of the clock sysvar's Unix time, in bytes. */
const UNIX_SECONDS_AT = 32;
/** Offset of a Meter account's meter_id, behind the discriminator, in bytes. */
const METER_ID_AT = 8;

/** Refusals of the chain that the tool cannot foresee, each with a remedy. */
const ADVICE: Readonly<Record<string, string>> = {
  ExcessiveAmount: 'the rise is above what the limits of the meter allow: send the statements between, oldest first',
};

/**
 * Finds the statement's record: the statement names no zone. Of the records with its meter_id, returns the record whose
 * key signed the statement, else the first.
 */
async function findRecord(connection: Connection, given: StatementIn): Promise<Meter | null> {
  const found = await connection.getProgramAccounts(programIds.registry, {
    commitment: 'confirmed',
    filters: [
      { dataSize: accountSizes.Meter },
      { memcmp: { offset: 0, bytes: base58Encode(accountDiscriminator('Meter')) } },
      { memcmp: { offset: METER_ID_AT, bytes: base58Encode(fromHex(given.meterId)) } },
    ],
  });
  const records = found.map(({ account }) => decodeMeter(account));
  return records.find((record) => isSignedBy(given, record.deviceKey.toBytes())) ?? records[0] ?? null;
}

async function look(connection: Connection, given: StatementIn): Promise<Seen> {
  const first = [pda.config(), SYSVAR_CLOCK_PUBKEY];
  const [config, clock] = await connection.getMultipleAccountsInfo(first, 'confirmed');
  const record = await findRecord(connection, given);
  const page = record && (await connection.getAccountInfo(pda.meterPage(record.zone, record.page), 'confirmed'));
  if (!clock) throw refusal('the node shows no clock');
  // Anyone can send lamports to an address before its program makes the account.
  const isThere = ({ owner }: { owner: PublicKey }) => !owner.equals(SystemProgram.programId);
  return {
    config: config && isThere(config) ? decodeConfig(config) : null,
    meter: record,
    page: page && isThere(page) ? decodeMeterPage(page) : null,
    nowMs: Number(clock.data.readBigInt64LE(UNIX_SECONDS_AT)) * 1_000,
  };
}

/** Sends one statement; returns the outcome in words. Rejects with `OperatorError` and the reason of a refusal. */
async function submit(connection: Connection, payer: Keypair, given: StatementIn): Promise<string> {
  const seen = await look(connection, given).catch((error: unknown) => {
    throw error instanceof OperatorError
      ? error
      : refusal(`the node does not answer (${firstLine(error)})`, given.file);
  });
  const judged = judge(given, seen);
  if ('refused' in judged) throw refusal(judged.refused, given.file);
  if ('done' in judged) return judged.done;
  const { meterId, deviceKey, zone, page } = judged.place;
  try {
    const signature = await sendAndConfirm(
      connection,
      payer,
      [],
      [
        instructions.signedMessageVerification(deviceKey.toBytes(), given.message),
        instructions.submitStatement({ meterId, zone, page }),
      ],
    );
    return `window ${given.statement.window} is on the chain (${signature})`;
  } catch (error) {
    const known = parseChainError(error) ?? nameIn(error);
    throw refusal(known ? `${ADVICE[known.name] ?? known.message} (${known.name})` : firstLine(error), given.file);
  }
}

/** Returns the error for a statement that is not sent or that the chain refuses; the words state the remedy. */
const refusal = (problem: string, file?: string) => new OperatorError({ code: 'refused', file, problem, advice: '' });

/** `sendAndConfirm` puts the program's error into words. */
function nameIn(error: unknown): { name: string; message: string } | null {
  const match = /failed: (\w+) \(\d+\): (.*)/.exec(firstLine(error));
  return match?.[1] ? { name: match[1], message: match[2] ?? '' } : null;
}

const firstLine = (error: unknown): string => errorText(error).split('\n')[0] ?? '';

async function checkPayer(connection: Connection, payer: PublicKey, url: string): Promise<void> {
  let lamports: number;
  try {
    lamports = await connection.getBalance(payer, 'confirmed');
  } catch (error) {
    const problem = `no node answers at ${url} (${firstLine(error)})`;
    throw new OperatorError({ code: 'no-node', key: '--rpc', problem, advice: 'correct the URL, or start the node' });
  }
  if (lamports > 0) return;
  const problem = `the payer ${payer.toBase58()} has no SOL`;
  throw new OperatorError({ code: 'no-sol', key: '--payer', problem, advice: 'send it some for the fees' });
}

interface Given {
  readonly rpc: string;
  readonly payer: string;
}

/** Resolves paths from the user's folder: npm runs scripts in the package's folder. */
const pathOf = (path: string): string => resolve(process.env.INIT_CWD ?? process.cwd(), path);

function checkOptions({ rpc }: Given, files: readonly string[]): void {
  const fault = (key: string, problem: string, advice: string) =>
    new OperatorError({ code: 'option', key, problem, advice });
  const isUrl = URL.canParse(rpc) && /^https?:$/.test(new URL(rpc).protocol);
  if (!isUrl) throw fault('--rpc', `${rpc}: is no http URL`, 'give one such as http://127.0.0.1:18801');
  if (files.length > MAX_FILES) throw fault('files', 'too many', `give at most ${MAX_FILES} at once`);
}

/**
 * Sends every statement, oldest window first. Returns true when the chain has all of them. Rejects with
 * `OperatorError`.
 */
async function submitFiles(given: Given, names: readonly string[], say: Say, complain: Say): Promise<boolean> {
  checkOptions(given, names);
  const payer = readPayer(pathOf(given.payer));
  const statements = names
    .map((name) => readStatement(pathOf(name)))
    .sort((a, b) => a.statement.window - b.statement.window);
  const connection = connectTo(given.rpc);
  await checkPayer(connection, payer.publicKey, given.rpc);
  let isComplete = true;
  for (const statement of statements) {
    try {
      say(`${statement.file}: ${await submit(connection, payer, statement)}`);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      complain(error.message);
      isComplete = false;
    }
  }
  return isComplete;
}

type Say = (line: string) => void;

/** Runs the command; returns the exit code: 0 when the chain has every statement, 2 when the chain refuses one. */
export async function submitStatements(argv: readonly string[], say: Say, complain: Say): Promise<number> {
  let wanted: number | null = null;
  let code: number = ExitCode.done;
  const program = {
    name: 'npm run submit-statement --',
    description:
      'Sends statements that a meter or its gateway signed, where attestors are silent. Anyone may send them; the chain ' +
      'accepts a gateway-signed statement when its slot is 96 windows behind.',
    commands: (command: Command) => {
      command
        .requiredOption('--rpc <url>', 'RPC URL of the node')
        .requiredOption('--payer <file>', 'Solana key file that pays the fees')
        .argument('<files...>', 'files that "gridtokenx-gateway statement" wrote')
        .action(async (files: string[], given: Given) => {
          if (!(await submitFiles(given, files, say, complain))) wanted = ExitCode.operator;
        });
    },
  };
  await runCli(program, {
    argv,
    out: (text) => say(text.trimEnd()),
    err: (text) => complain(text.trimEnd()),
    exitCode: () => wanted,
    exit: (asked) => {
      code = asked;
    },
    outFailure: watchOutput(),
  });
  return code;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exit(await submitStatements(process.argv.slice(2), console.log, console.error));
}
