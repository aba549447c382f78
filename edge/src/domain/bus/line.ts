/** Time that characters take. */
export interface LineSpeed {
  /** Milliseconds for one character; 0 on a network. */
  readonly charMs: number;
  /** A frame is over when nothing came for so many milliseconds. */
  readonly silenceMs: number;
}

/** Adapters gather bytes up to 16 ms before they hand them over; silence shorter than this is none. */
const MIN_SILENCE_MS = 25;

/**
 * A serial line's time: start bit, 8 data bits, parity, stop bits; 3.5 characters of silence end a frame (Modbus over
 * serial line 1.02, section 2.5.1.1).
 */
export function serialSpeed(baud: number, parity: 'none' | 'even' | 'odd', stopBits: 1 | 2): LineSpeed {
  const charMs = ((9 + (parity === 'none' ? 0 : 1) + stopBits) * 1_000) / baud;
  return { charMs, silenceMs: Math.max(MIN_SILENCE_MS, 3.5 * charMs) };
}

/** Raw frames over a network: a packet may be on its way for a while. */
export const rawNetworkSpeed: LineSpeed = { charMs: 0, silenceMs: 60 };

/** Modbus TCP says itself how long a message is: half of one is waited for as long as a lost packet takes to come again. */
export const tcpSpeed: LineSpeed = { charMs: 0, silenceMs: 1_000 };
