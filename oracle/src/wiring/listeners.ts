import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CertificateFiles } from '@gridtokenx/runtime';
import { type PageServed, type ServiceServed, servePage, serveService } from '../adapters/http/server.js';
import type { Logger, RealClock } from '../domain/ports.js';
import type { Config } from './config.js';
import { serverCertificate } from './secure.js';

/** The certificates of both listeners, watched for renewals. */
export interface Certificates {
  readonly page: CertificateFiles | undefined;
  readonly service: CertificateFiles | undefined;
  /** Days until the first of them expires; undefined where there is none. */
  readonly days: (() => number) | undefined;
  /** In plain words; empty when all is well. */
  problems(): string[];
  stop(): void;
}

/** Reads the certificates. Throws `CertificateError`. */
export function openCertificates(
  config: Pick<Config, 'page' | 'service'>,
  path: (name: string) => string,
  realClock: RealClock,
  logger: Logger,
): Certificates {
  const page = serverCertificate(config.page.tls, path, realClock, logger);
  const service = serverCertificate(config.service?.tls, path, realClock, logger);
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
  close(): void;
}

/** Listens for people and collectors, and where it is configured for gateways and oracles. Rejects with the socket's error. */
export async function openListeners(
  config: Pick<Config, 'page' | 'service'>,
  certificates: Certificates,
  served: { readonly page: PageServed; readonly service: ServiceServed },
  logger: Logger,
): Promise<Listeners> {
  const open: Server[] = [];
  const close = () => {
    for (const server of open) {
      server.close();
      server.closeAllConnections();
    }
  };
  const listen = async (opening: Promise<Server>) => {
    const server = await opening;
    open.push(server);
    return (server.address() as AddressInfo).port;
  };
  try {
    const port = await listen(servePage(config.page, served.page, logger, certificates.page));
    const { service } = config;
    const servicePort = service
      ? await listen(serveService(service, served.service, logger, certificates.service))
      : null;
    return { port, servicePort, close };
  } catch (error) {
    close();
    throw error;
  }
}
