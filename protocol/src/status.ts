/** Retained JSON on `gtx/v1/{gateway}/status`; the last will is the same with `online: false`. */
export interface GatewayStatus {
  readonly online: boolean;
  /** Random text of the connection, by which a gateway recognises its own stale will. */
  readonly session: string;
  /** Real time at which the session began, ms since 1970; absent where the gateway does not know the time. */
  readonly sinceMs?: number;
  /** Real time of this text, ms since 1970; absent like `sinceMs`. A will is made when its session begins. */
  readonly statedMs?: number;
  readonly version: string;
  readonly name?: string;
  /** Records in the spool that no oracle has acknowledged. */
  readonly spoolDepth?: number;
  readonly clockSynchronised?: boolean;
  /** Conditions in plain words; empty when all is well. */
  readonly problems?: readonly string[];
}

/**
 * JSON projection of a *verified* reading on `gtx/v1/live/{zone}/{meter}` for dashboards and Node-RED [wire §6.7].
 * 64-bit numbers are decimal strings; nothing here is signed.
 */
export interface LiveReading {
  readonly meter: string;
  readonly gateway: string;
  readonly zone: number;
  readonly seq: string;
  /** The instant of the read, milliseconds since 1970 of the reading clock. */
  readonly timeMs: number;
  readonly importWh: string;
  readonly exportWh: string;
  readonly powerW: number | null;
  /** 0.1 V. */
  readonly voltageDv: number | null;
  /** 0.01 Hz. */
  readonly frequencyChz: number | null;
  readonly quality: number;
  readonly signer: 'gateway' | 'device';
}

/** Returns the state in the JSON of an oracle's status, `{"online": …}`; null when it is none [wire §6.6]. */
export function parseOracleStatus(text: string): { readonly online: boolean } | null {
  const record = objectIn(text);
  return typeof record?.online === 'boolean' ? { online: record.online } : null;
}

/** The end of the year 9999, ms since 1970: every reader's dates hold it in every time zone. */
const MAX_TIME_MS = 253_402_300_799_999;

function timesIn(record: Record<string, unknown>): Pick<GatewayStatus, 'sinceMs' | 'statedMs'> {
  const isTime = (value: unknown): value is number =>
    typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_TIME_MS;
  const { sinceMs, statedMs } = record;
  return { ...(isTime(sinceMs) ? { sinceMs } : {}), ...(isTime(statedMs) ? { statedMs } : {}) };
}

/** Returns the JSON object in a text of at most 8,192 characters; null when there is none. */
function objectIn(text: string): Record<string, unknown> | null {
  if (text.length > 8192) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Checks the JSON of a status message; null when it is none [wire §6.5]. Text fields are truncated, never trusted. */
export function parseGatewayStatus(text: string): GatewayStatus | null {
  const record = objectIn(text);
  if (typeof record?.online !== 'boolean' || typeof record.session !== 'string') return null;
  const depth = record.spoolDepth;
  return {
    online: record.online,
    session: record.session.slice(0, 64),
    ...timesIn(record),
    version: typeof record.version === 'string' ? record.version.slice(0, 32) : '',
    ...(typeof record.name === 'string' ? { name: record.name.slice(0, 64) } : {}),
    ...(typeof depth === 'number' && Number.isSafeInteger(depth) && depth >= 0 ? { spoolDepth: depth } : {}),
    ...(typeof record.clockSynchronised === 'boolean' ? { clockSynchronised: record.clockSynchronised } : {}),
    ...(Array.isArray(record.problems)
      ? {
          problems: record.problems
            .filter((p) => typeof p === 'string')
            .map((p) => p.slice(0, 200))
            .slice(0, 20),
        }
      : {}),
  };
}
