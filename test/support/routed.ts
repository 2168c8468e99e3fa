/** A server with several relays, each a real SMTP sink, and a RELAYS_FILE that tests write. */

import { writeFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { startTestServer, type TestServer, type TestServerOptions } from './server.ts';
import { type Sink, startSink } from './smtp-sink.ts';
import { createTemp } from './temp.ts';

export type Routed<Name extends string> = {
  server: TestServer;
  sinks: Record<Name, Sink>;
  path: string;
  /** Closes a sink; what is returned opens one at the same port. */
  away(name: Name): Promise<() => Promise<Sink>>;
  /** Writes the file anew: relays by name, each with more lines, then what follows. */
  write(relays: Partial<Record<Name, string>>, routes?: string): void;
};

export async function serveRouted<Name extends string>(
  t: TestContext,
  names: readonly Name[],
  { routes = '', more = '', ...options }: TestServerOptions & { routes?: string; more?: string } = {},
): Promise<Routed<Name>> {
  const temp = createTemp();
  const sinks = {} as Record<Name, Sink>;
  for (const name of names) sinks[name] = await startSink();
  const path = temp.path('relays.toml');
  const ports = new Map(names.map((name) => [name, sinks[name].port]));

  function write(relays: Partial<Record<Name, string>>, routes = ''): void {
    const tables = (Object.entries(relays) as [Name, string][]).map(
      ([name, lines]) => `[[relay]]\nname = "${name}"\nurl = "smtp://127.0.0.1:${ports.get(name)}"\n${lines}\n`,
    );
    writeFileSync(path, `${tables.join('')}${routes}`);
  }
  write(Object.fromEntries(names.map((name) => [name, more])) as Record<Name, string>, routes);
  const environment = { RELAYS_FILE: path, ...options.environment };
  const server = await startTestServer({ ...options, environment });
  t.after(async () => {
    await server.stop();
    for (const name of names) await sinks[name].close().catch(() => {});
    temp.remove();
  });
  return {
    server,
    sinks,
    path,
    write,
    async away(name) {
      const { port } = sinks[name];
      await sinks[name].close();
      return async () => {
        sinks[name] = await startSink({ port });
        return sinks[name];
      };
    },
  };
}
