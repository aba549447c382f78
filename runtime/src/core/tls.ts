export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

/** What a TLS server is given; it fits `createServer` and `setSecureContext` of node:tls and node:https. */
export interface TlsMaterial {
  /** PEM: the server's certificate first, then what is between it and the authority. */
  readonly cert: string;
  /** PEM, not encrypted. */
  readonly key: string;
  /** The oldest version that is spoken. */
  readonly minVersion: TlsVersion;
}

/** A server's certificate, which may be renewed while it runs. */
export interface ServerCertificate {
  /** What is shown now. */
  readonly material: TlsMaterial;
  /** Calls `listener` with each new certificate; connections that are there keep theirs. */
  onRenewed(listener: (material: TlsMaterial) => void): void;
}
