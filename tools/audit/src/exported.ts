import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { closeSync, constants, createReadStream, fstatSync, openSync } from 'node:fs';
import { PublicKey } from '@solana/web3.js';

/**
 * Checks a gateway's export against its key alone: frames, signatures, seqs, the chain of hashes, registers, windows and
 * the root over the readings of each statement. The rules are those of the wire format; none of the project's code is
 * used.
 */
export interface ExportResult {
  readonly findings: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
  /** Public key and meter as the file states them. */
  readonly key: string;
  readonly meterId: string;
}

const FRAME = { start: 'd28443a10127a05860', signature: '5840' } as const;
const [MESSAGE_BYTES, PAYLOAD_AT, PAYLOAD_BYTES, SIGNATURE_AT] = [171, 9, 96, 107];
const SIG_STRUCTURE = Buffer.from('846a5369676e61747572653143a10127405860', 'hex');
/** DER bytes before a raw Ed25519 key (RFC 8410). */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const [READING, STATEMENT, EVENT, ENROLMENT, MORE_VALUES] = [1, 2, 3, 4, 5];
const DISCONTINUITY = 1 << 3;
const ZERO_HASH = Buffer.alloc(16);
/** The longest line: the head; a message has 342 digits. */
const MAX_LINE = 65_536;
const MAX_FINDINGS = 100;

interface Head {
  readonly network_id: string;
  readonly meter_id: string;
  readonly key: string;
  readonly messages: number;
}

/** Reads and checks an export. Throws for a file that is none. */
export async function auditExport(file: string, expectedKey: string | null): Promise<ExportResult> {
  let check: ExportCheck | null = null;
  for await (const line of linesOf(file)) {
    if (check) check.message(line);
    else check = new ExportCheck(headOf(line, file));
  }
  if (!check) throw new Error(`--export ${file} is empty`);
  return check.result(expectedKey);
}

/** Yields the lines of a file. Throws for a line that is too long, before the whole line is in memory. */
async function* linesOf(file: string): AsyncGenerator<string> {
  let rest = '';
  for await (const text of openLines(file).setEncoding('utf8')) {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    if ([...lines, rest].some((line) => line.length > MAX_LINE))
      throw new Error(`--export ${file} has a line that is too long for an export`);
    yield* lines;
  }
  if (rest !== '') yield rest;
}

function openLines(file: string) {
  const opened = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  if (fstatSync(opened).isFile()) return createReadStream('', { fd: opened });
  closeSync(opened);
  throw new Error(`--export ${file} is no regular file`);
}

function headOf(line: string, file: string): Head {
  try {
    const head = JSON.parse(line) as Partial<Head> & { version?: unknown };
    const isHead =
      head.version === 1 &&
      /^[0-9a-f]{16}$/.test(String(head.network_id)) &&
      /^[0-9a-f]{32}$/.test(String(head.meter_id)) &&
      Number.isSafeInteger(head.messages);
    if (isHead && new PublicKey(String(head.key)).toBase58() === head.key) return head as Head;
  } catch {
    // The words of the error would quote the file.
  }
  throw new Error(`--export ${file} does not begin with the head of an export`);
}

class ExportCheck {
  readonly #head: Head;
  readonly #key: KeyObject;
  readonly #findings: string[] = [];
  readonly #figures = {
    readings: 0,
    statements: 0,
    events: 0,
    enrolments: 0,
    more_values: 0,
    others: 0,
    roots: 0,
    roots_not_reproducible: 0,
  };
  #count = 0;
  #findingCount = 0;
  #seq = 0n;
  #prev: Buffer | null = null;
  #registers = { importWh: 0n, exportWh: 0n };
  /** Registers of the last statement; null before. */
  #stated: { importWh: bigint; exportWh: bigint } | null = null;
  /** A good reading is there, and no seq behind it is absent. */
  #isRegisterKnown = false;
  #window = -1;
  /** Hashes of the readings since the last statement. */
  #leaves: Buffer[] = [];
  /** Seqs are absent since the last statement, and since the last message of kind 1 or 3. */
  #hasHole = { span: false, link: false };

  constructor(head: Head) {
    this.#head = head;
    const raw = Buffer.from(new PublicKey(head.key).toBytes());
    this.#key = createPublicKey({ key: Buffer.concat([SPKI, raw]), format: 'der', type: 'spki' });
  }

  message(line: string): void {
    this.#count++;
    const bytes = /^[0-9a-f]{342}$/.test(line) ? Buffer.from(line, 'hex') : null;
    const isFramed =
      bytes?.length === MESSAGE_BYTES &&
      bytes.subarray(0, PAYLOAD_AT).toString('hex') === FRAME.start &&
      bytes.subarray(105, SIGNATURE_AT).toString('hex') === FRAME.signature;
    if (!bytes || !isFramed) this.#find(`line ${this.#count + 1} is no signed message`);
    else this.#signed(bytes);
  }

  #signed(bytes: Buffer): void {
    const payload = bytes.subarray(PAYLOAD_AT, PAYLOAD_AT + PAYLOAD_BYTES);
    const seq = payload.readBigUInt64LE(28);
    const where = `seq ${seq}`;
    const isSigned = verify(null, Buffer.concat([SIG_STRUCTURE, payload]), this.#key, bytes.subarray(SIGNATURE_AT));
    if (!isSigned || payload.subarray(0, 3).toString('hex') !== '475801') {
      this.#find(`${where}: ${isSigned ? 'another version' : 'the key did not sign it'}`);
      return;
    }
    if (payload.subarray(4, 12).toString('hex') !== this.#head.network_id) this.#find(`${where}: another network`);
    if (payload.subarray(12, 28).toString('hex') !== this.#head.meter_id) this.#find(`${where}: another meter`);
    if (seq <= this.#seq) this.#find(`${where} after ${this.#seq}: seqs do not rise`);
    if (seq !== this.#seq + 1n) this.#hole();
    this.#seq = seq;
    this.#content(payload, where);
  }

  /** Records that seqs are absent: never signed, or no longer there. */
  #hole(): void {
    this.#isRegisterKnown = false;
    this.#hasHole = { span: this.#figures.enrolments < this.#count - 1, link: true };
  }

  #content(payload: Buffer, where: string): void {
    const kind = payload[3] ?? 0;
    if (kind === READING) this.#reading(payload, where);
    else if (kind === STATEMENT) this.#statement(payload, where);
    else if (kind === EVENT) this.#figures.events++;
    else if (kind === ENROLMENT) this.#enrolment(payload);
    else if (kind === MORE_VALUES) this.#figures.more_values++;
    else this.#figures.others++;
    if (kind === READING || kind === EVENT) this.#chain(payload, where);
  }

  #chain(payload: Buffer, where: string): void {
    const isSame = payload.subarray(80, 96).equals(this.#prev ?? ZERO_HASH);
    // Across a hole the predecessor may be absent.
    if (!isSame && !this.#hasHole.link) this.#find(`${where}: prev is not the hash of its predecessor`);
    this.#prev = sha256(payload).subarray(0, 16);
    this.#hasHole.link = false;
  }

  #reading(payload: Buffer, where: string): void {
    this.#figures.readings++;
    this.#leaves.push(sha256(Buffer.from([0]), payload));
    if ((payload.readUInt16LE(72) & DISCONTINUITY) !== 0) return;
    this.#rise(payload, 44, where);
    this.#isRegisterKnown = true;
  }

  #statement(payload: Buffer, where: string): void {
    this.#figures.statements++;
    const window = payload.readUInt32LE(36);
    if (window <= this.#window) this.#find(`${where}: window ${window} is not above ${this.#window}`);
    this.#window = window;
    this.#state(payload, where);
    const isSame = merkleRoot(this.#leaves).equals(payload.subarray(64, 96));
    if (isSame) this.#figures.roots++;
    else if (this.#hasHole.span) this.#figures.roots_not_reproducible++;
    else this.#find(`${where}: the root is not that of the readings before it`);
    this.#leaves = [];
    this.#hasHole.span = false;
  }

  /** Compares the registers of a statement with the one before, and with the newest reading, which they are not above. */
  #state(payload: Buffer, where: string): void {
    const [importWh, exportWh] = [payload.readBigUInt64LE(40), payload.readBigUInt64LE(48)];
    const [before, now] = [this.#stated, this.#registers];
    const text = `${importWh}/${exportWh} Wh`;
    if (before && (importWh < before.importWh || exportWh < before.exportWh))
      this.#find(`${where}: the stated registers fell to ${text}`);
    if (this.#isRegisterKnown && (importWh > now.importWh || exportWh > now.exportWh))
      this.#find(`${where}: states ${text}, more than the readings before it`);
    this.#stated = { importWh, exportWh };
  }

  #enrolment(payload: Buffer): void {
    this.#figures.enrolments++;
    this.#registers = { importWh: payload.readBigUInt64LE(68), exportWh: payload.readBigUInt64LE(76) };
  }

  /** Compares registers with those before: signed registers never fall. */
  #rise(payload: Buffer, at: number, where: string): void {
    const [importWh, exportWh] = [payload.readBigUInt64LE(at), payload.readBigUInt64LE(at + 8)];
    if (importWh < this.#registers.importWh || exportWh < this.#registers.exportWh)
      this.#find(`${where}: a register fell to ${importWh}/${exportWh} Wh`);
    this.#registers = { importWh, exportWh };
  }

  #find(words: string): void {
    this.#findingCount++;
    if (this.#findings.length < MAX_FINDINGS) this.#findings.push(words);
  }

  result(expectedKey: string | null): ExportResult {
    const { key, meter_id: meterId, messages } = this.#head;
    if (expectedKey !== null && expectedKey !== key) this.#find(`the file states the key ${key}, not ${expectedKey}`);
    if (messages !== this.#count) this.#find(`the head states ${messages} messages, the file has ${this.#count}`);
    const more = this.#findingCount - this.#findings.length;
    const findings = more > 0 ? [...this.#findings, `and ${more} further findings`] : this.#findings;
    return { findings, figures: { messages: this.#count, ...this.#figures }, key, meterId };
  }
}

function sha256(...parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** Computes the Merkle root of RFC 6962 over leaf hashes: of two halves, the left one is a power of two. */
function merkleRoot(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256();
  let level = [...leaves];
  while (level.length > 1) {
    const next: Buffer[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const [left, right] = [level[i] as Buffer, level[i + 1]];
      next.push(right ? sha256(Buffer.from([1]), left, right) : left);
    }
    level = next;
  }
  return level[0] as Buffer;
}
