/** A server whose relay is another Sendonce, behind a proxy that plays tricks, and a second relay that is an SMTP sink. */

import { writeFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import type { Environment } from '../../src/config/settings.ts';
import { startProxy, type Trick } from '../lab/proxy.ts';
import { newMigratedFile } from './engine.ts';
import { startTestServer, type TestServer, type TestServerOptions, testKey } from './server.ts';
import { type Sink, startSink } from './smtp-sink.ts';
import { createTemp } from './temp.ts';

export type UpstreamRig = {
  server: TestServer;
  upstream: TestServer;
  backup: Sink;
  /** Asked for each request that reaches the proxy. */
  trick: () => Trick;
  requests: number;
};

export type Service = 'resend' | 'brevo' | 'sendonce';

type UpstreamOptions = TestServerOptions & {
  key?: string;
  hasBackup?: boolean;
  hasTwin?: boolean;
  upstreamEnvironment?: Environment;
  /** More fields of the relay in its file. */
  relayMore?: string;
};

export async function serveUpstream(
  t: Pick<TestContext, 'after'>,
  service: Service,
  {
    key = testKey,
    hasBackup = false,
    hasTwin = false,
    upstreamEnvironment = {},
    relayMore = '',
    ...options
  }: UpstreamOptions = {},
): Promise<UpstreamRig> {
  const temp = createTemp();
  // What it stands on is its own affair, and a file is quicker.
  const environment = { DATABASE_URL: await newMigratedFile(temp.path('upstream.db')), ...upstreamEnvironment };
  const [upstream, backup] = [await startTestServer({ environment }), await startSink()];
  const rig: UpstreamRig = { upstream, backup, trick: () => ({ kind: 'pass' }), requests: 0, server: upstream };
  const proxy = await startProxy({
    target: () => upstream.url,
    choose: () => {
      rig.requests += 1;
      return rig.trick();
    },
    onReply: () => {},
  });
  const path = temp.path('relays.toml');
  const more = hasBackup ? `[[relay]]\nname = "backup"\nurl = "smtp://127.0.0.1:${backup.port}"\n` : '';
  const url = `${service}://${new URL(proxy.url).host}?tls=never`;
  const relays = (hasTwin ? ['up', 'twin'] : ['up']).map(
    (name) => `[[relay]]\nname = "${name}"\nurl = "${url}"\nkey = "${key}"\n${relayMore}`,
  );
  writeFileSync(path, `${relays.join('')}${more}`);
  rig.server = await startTestServer({ ...options, environment: { RELAYS_FILE: path, ...options.environment } });
  t.after(async () => {
    await rig.server.stop();
    await proxy.close();
    await upstream.stop();
    await backup.close();
    temp.remove();
  });
  return rig;
}
