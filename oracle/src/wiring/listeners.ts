import type { Clock, Logger } from '@gridtokenx/runtime/core';
import type { CertificateFiles, RunningHttp } from '@gridtokenx/runtime/node';
import { type PageServed, type ServiceServed, servePage, serveService } from '../adapters/http/server.js';
import type { Config } from './config.js';
import { serverCertificate } from './secure.js';

/** The certificates of both listeners, watched for renewals. */
export interface Certificates {
  readonly page: CertificateFiles | undefined;
  readonly service: CertificateFiles | undefined;
  /** Returns days until the first of them expires; undefined without a certificate. */
  readonly days: (() => number) | undefined;
  /** Returns problems in plain words; empty without any. */
  problems(): string[];
  stop(): void;
}

/** Reads the certificates. Throws `CertificateError`. */
export function openCertificates(
  config: Pick<Config, 'page' | 'service'>,
  path: (name: string) => string,
  clock: Clock,
  logger: Logger,
): Certificates {
  const page = serverCertificate(config.page.tls, path, clock, logger);
  const service = serverCertificate(config.service?.tls, path, clock, logger);
  const all = [page, service].filter((certificate) => certificate !== undefined);
  return {
    page,
    service,
    days: all.length > 0 ? () => Math.min(...all.map(({ expiryDays }) => expiryDays)) : undefined,
    problems: () => [...new Set(all.flatMap(({ problem }) => problem ?? []))],
    stop: () => {
      for (const certificate of all) certificate.stop();
    },
  };
}

export interface Listeners {
  readonly port: number;
  /** Null where time and co-signing are not served. */
  readonly servicePort: number | null;
  close(): Promise<void>;
}

/** Listens for people and collectors and, where configured, for gateways and oracles. Rejects with `OperatorError`. */
export async function openListeners(
  config: Pick<Config, 'page' | 'service'>,
  certificates: Certificates,
  served: { readonly page: PageServed; readonly service: ServiceServed },
  logger: Logger,
): Promise<Listeners> {
  const { service } = config;
  const page = await servePage(config.page, served.page, logger, certificates.page);
  const open: RunningHttp[] = [page];
  const close = async () => void (await Promise.all(open.map((one) => one.close())));
  if (!service) return { port: page.port, servicePort: null, close };
  try {
    const found = await serveService(service, served.service, logger, certificates.service);
    open.push(found);
    return { port: page.port, servicePort: found.port, close };
  } catch (error) {
    await close();
    throw error;
  }
}
