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
import { sendAndConfirm } from '@gridtokenx/devnet/start/send';
import { UserError } from '@gridtokenx/devnet/user-error';
import { base58Encode, fromHex } from '@gridtokenx/protocol';
import { Connection, type Keypair, type PublicKey, SYSVAR_CLOCK_PUBKEY, SystemProgram } from '@solana/web3.js';
import { Command, CommanderError } from 'commander';
import { judge, type Seen } from './judge.js';
import { isSignedBy, readPayer, readStatement, type StatementIn } from './statement-file.js';

/** Most files of one call: a month of windows. */
const MAX_FILES = 2_880;
/** Where the clock sysvar has its Unix time. */
const UNIX_SECONDS_AT = 32;
/** Where a Meter account has its meter_id: behind the discriminator. */
const METER_ID_AT = 8;
/** A node that has not answered by then is away. */
const RPC_TIMEOUT_MS = 10_000;

/** Refusals of the chain that the tool cannot foresee, with what to do. */
const ADVICE: Readonly<Record<string, string>> = {
  ExcessiveAmount: 'the rise is above what the limits of the meter allow: send the statements between, oldest first',
};

/** The statement names no zone: of the records with its meter_id, the one whose key signed it, else the first. */
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
  if (!clock) throw new UserError('the node shows no clock');
  // Anyone can send lamports to an address before its program makes the account.
  const isThere = ({ owner }: { owner: PublicKey }) => !owner.equals(SystemProgram.programId);
  return {
    config: config && isThere(config) ? decodeConfig(config) : null,
    meter: record,
    page: page && isThere(page) ? decodeMeterPage(page) : null,
    nowMs: Number(clock.data.readBigInt64LE(UNIX_SECONDS_AT)) * 1_000,
  };
}

/** Sends one statement; what became of it in words. Throws `UserError` with why it is refused. */
async function submit(connection: Connection, payer: Keypair, given: StatementIn): Promise<string> {
  const seen = await look(connection, given).catch((error: unknown) => {
    throw error instanceof UserError
      ? error
      : new UserError(`${given.file}: the node does not answer: ${firstLine(error)}`);
  });
  const judged = judge(given, seen);
  if ('refused' in judged) throw new UserError(`${given.file}: ${judged.refused}`);
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
    if (known) throw new UserError(`${given.file}: ${ADVICE[known.name] ?? known.message} (${known.name})`);
    throw new UserError(`${given.file}: ${firstLine(error)}`);
  }
}

/** `sendAndConfirm` puts the program's error into words. */
function nameIn(error: unknown): { name: string; message: string } | null {
  const match = /failed: (\w+) \(\d+\): (.*)/.exec(firstLine(error));
  return match?.[1] ? { name: match[1], message: match[2] ?? '' } : null;
}

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';

async function checkPayer(connection: Connection, payer: PublicKey, url: string): Promise<void> {
  let lamports: number;
  try {
    lamports = await connection.getBalance(payer, 'confirmed');
  } catch (error) {
    throw new UserError(`${url}: no node answers (${firstLine(error)})`);
  }
  if (lamports === 0) throw new UserError(`the payer ${payer.toBase58()} has no SOL: send it some for the fees`);
}

function parse(argv: readonly string[]): { rpc: string; payer: string; files: string[] } | null {
  const command = new Command('npm run submit-statement --')
    .description(
      'Sends statements that a meter or its gateway signed, where attestors are silent. Anyone may; a gateway-signed one ' +
        'is taken when its slot is 96 windows behind.',
    )
    .requiredOption('--rpc <url>', 'RPC URL of the node')
    .requiredOption('--payer <file>', 'Solana key file that pays the fees')
    .argument('<files...>', 'what "gridtokenx-gateway statement" wrote')
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  try {
    command.parse([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return null;
    throw new UserError(
      `${error.message.replace(/^error: /, '')} (npm run submit-statement -- --help lists the options)`,
    );
  }
  const { rpc, payer } = command.opts<{ rpc: string; payer: string }>();
  if (!URL.canParse(rpc) || !/^https?:$/.test(new URL(rpc).protocol))
    throw new UserError(`--rpc ${rpc}: is no http URL`);
  if (command.args.length > MAX_FILES) throw new UserError(`give at most ${MAX_FILES} files at once`);
  // npm runs scripts in the package's folder; paths on the command line mean the folder the person stands in.
  const from = process.env.INIT_CWD ?? process.cwd();
  return { rpc, payer: resolve(from, payer), files: command.args.map((file) => resolve(from, file)) };
}

/** Runs the command; the exit code: 0 when the chain has every statement, 2 when one is refused. */
export async function submitStatements(
  argv: readonly string[],
  say = console.log,
  complain = console.error,
): Promise<number> {
  let isRefused = false;
  const refuse = (error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    complain(error.message);
    isRefused = true;
  };
  try {
    const options = parse(argv);
    if (!options) return 0;
    const payer = readPayer(options.payer);
    const statements = options.files.map(readStatement).sort((a, b) => a.statement.window - b.statement.window);
    const connection = new Connection(options.rpc, {
      commitment: 'confirmed',
      disableRetryOnRateLimit: true,
      fetch: (url, init) =>
        fetch(url as string, { ...(init as RequestInit), signal: AbortSignal.timeout(RPC_TIMEOUT_MS) }),
    });
    await checkPayer(connection, payer.publicKey, options.rpc);
    for (const given of statements) {
      await submit(connection, payer, given).then((text) => say(`${given.file}: ${text}`), refuse);
    }
  } catch (error) {
    refuse(error);
  }
  return isRefused ? 2 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(await submitStatements(process.argv.slice(2)));
