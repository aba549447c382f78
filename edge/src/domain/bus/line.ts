/** Time that characters take on a line. */
export interface LineSpeed {
  /** Milliseconds for one character; 0 on a network. */
  readonly charMs: number;
  /** A frame has ended when no byte arrived for this long, ms. */
  readonly silenceMs: number;
}

/** Adapters gather bytes for up to 16 ms before they deliver them, so a shorter silence proves nothing. */
const MIN_SILENCE_MS = 25;

/**
 * Computes a serial line's times: start bit, 8 data bits, parity, stop bits. A silence of 3.5 characters ends a frame
 * (Modbus over serial line 1.02, section 2.5.1.1).
 */
export function serialSpeed(baud: number, parity: 'none' | 'even' | 'odd', stopBits: 1 | 2): LineSpeed {
  const charMs = ((9 + (parity === 'none' ? 0 : 1) + stopBits) * 1_000) / baud;
  return { charMs, silenceMs: Math.max(MIN_SILENCE_MS, 3.5 * charMs) };
}

/** Times of raw frames over a network, where a packet may be delayed. */
export const rawNetworkSpeed: LineSpeed = { charMs: 0, silenceMs: 60 };

/** Times of Modbus TCP, which states a message's length: the rest of a message may take as long as a retransmission. */
export const tcpSpeed: LineSpeed = { charMs: 0, silenceMs: 1_000 };
