export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

/** The material of a TLS server. It fits `createServer` and `setSecureContext` of node:tls and node:https. */
export interface TlsMaterial {
  /** PEM: the server's certificate first, then the intermediate certificates. */
  readonly cert: string;
  /** PEM, not encrypted. */
  readonly key: string;
  /** The oldest accepted version. */
  readonly minVersion: TlsVersion;
}

/** A server's certificate, which may be renewed while it runs. */
export interface ServerCertificate {
  /** The material in use. */
  readonly material: TlsMaterial;
  /** Calls `listener` with each new certificate. Existing connections keep theirs. */
  onRenewed(listener: (material: TlsMaterial) => void): void;
}
