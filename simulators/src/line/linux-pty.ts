import { closeSync, constants, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ReadStream } from 'node:tty';
import { PtyError, type PtyMaster } from './pty.js';

/** Linux's `struct termios2`: four flag words, line discipline, 19 control characters, then both speeds as numbers. */
const TERMIOS = { size: 44, iflag: 0, oflag: 4, cflag: 8, lflag: 12, cc: 17, ospeed: 40 } as const;
const VTIME = 5;
const VMIN = 6;
const TCGETS2 = 0x802c542a;
const TCSETS2 = 0x402c542b;
const { O_RDWR, O_NOCTTY } = constants;
const O_CLOEXEC = 0o2000000;
/** Bytes that a client may leave unread before later bytes are lost, as in a UART that nobody empties. */
const MAX_UNREAD = 65_536;

interface Libc {
  posix_openpt(flags: number): number;
  grantpt(fd: number): number;
  unlockpt(fd: number): number;
  ptsname(fd: number): string | null;
  ioctl(fd: number, request: number, argument: Buffer): number;
}

let loaded: Libc | null = null;

/** Loads the C library by koffi at the first use. */
function libc(): Libc {
  if (loaded) return loaded;
  if (process.platform !== 'linux') throw new PtyError('simulated meters on a pty need Linux', 'put them on TCP');
  try {
    const library = createRequire(import.meta.url)('koffi').load('libc.so.6');
    loaded = {
      posix_openpt: library.func('int posix_openpt(int flags)'),
      grantpt: library.func('int grantpt(int fd)'),
      unlockpt: library.func('int unlockpt(int fd)'),
      ptsname: library.func('str ptsname(int fd)'),
      ioctl: library.func('int ioctl(int fd, unsigned long request, _Inout_ uint8_t *argument)'),
    };
    return loaded;
  } catch (cause) {
    throw new PtyError(`the C library cannot be called (${(cause as Error).message})`, 'put the meters on TCP', {
      cause,
    });
  }
}

function check(result: number, what: string): number {
  if (result < 0) throw new PtyError(`${what} failed`, 'look for /dev/ptmx and a free pty');
  return result;
}

/**
 * Opens a new pseudo-terminal in raw mode, whose master this process owns. Keeps one file of the client's end open: a
 * master without any gives EIO, and a client that reopens it would end the bus. Throws `PtyError`.
 */
export function openLinuxPty(): PtyMaster {
  const { posix_openpt, grantpt, unlockpt, ptsname, ioctl } = libc();
  const fd = check(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), 'posix_openpt');
  check(grantpt(fd), 'grantpt');
  check(unlockpt(fd), 'unlockpt');
  const path = ptsname(fd);
  if (path === null) throw new PtyError('ptsname failed', 'look for /dev/pts');
  const held = openSync(path, O_RDWR | O_NOCTTY);
  const settings = Buffer.alloc(TERMIOS.size);
  const read = () => check(ioctl(fd, TCGETS2, settings), 'reading the terminal settings');
  read();
  // Bytes pass unchanged before a client sets anything.
  for (const flags of [TERMIOS.iflag, TERMIOS.oflag, TERMIOS.lflag]) settings.writeUInt32LE(0, flags);
  settings[TERMIOS.cc + VMIN] = 1;
  settings[TERMIOS.cc + VTIME] = 0;
  check(ioctl(fd, TCSETS2, settings), 'setting the terminal raw');
  const stream = new ReadStream(fd);
  stream.on('error', () => {});
  return {
    path,
    onBytes: (call) => void stream.on('data', call),
    write(bytes) {
      if (stream.writableLength < MAX_UNREAD) stream.write(bytes);
    },
    baud() {
      read();
      return settings.readUInt32LE(TERMIOS.ospeed);
    },
    close: () =>
      new Promise((resolve) => {
        stream.once('close', () => resolve());
        closeSync(held);
        stream.destroy();
      }),
  };
}
