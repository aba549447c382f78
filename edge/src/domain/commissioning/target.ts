/** Names the line to scan. */
export type Target =
  | { readonly kind: 'serial'; readonly path: string }
  | { readonly kind: 'network'; readonly host: string; readonly port: number };

/** Reports a target that cannot be parsed; the message says what was expected. */
export class TargetError extends Error {
  override readonly name = 'TargetError';
}

/**
 * Parses a target: `/dev/...` and `COM3` are serial ports, `host:port` and `[::1]:502` are on the network. Throws
 * `TargetError`.
 */
export function parseTarget(text: string): Target {
  if (/^(\/|\.\.?\/)./.test(text) || /^COM\d+$/i.test(text)) return { kind: 'serial', path: text };
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/\s[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (!host || port < 1 || port > 65_535)
    throw new TargetError(
      `"${text}": expected a serial port such as /dev/ttyUSB0, or host:port such as 192.168.1.20:502`,
    );
  return { kind: 'network', host, port };
}
