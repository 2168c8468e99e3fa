/** An honest token server (RFC 6749): hands out tokens that end, to whoever has what it wants to see. */

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export type TokenServer = {
  readonly url: string;
  /** What each request said. */
  readonly requests: URLSearchParams[];
  /** Whether this token is one of its own, and not revoked. */
  isGood(token: string): boolean;
  revokeAll(): void;
  close(): Promise<void>;
};

export type TokenServerOptions = {
  clientSecret: string;
  /** Null: only the client's own credentials are taken. */
  refreshToken: string | null;
  lifeSeconds?: number;
};

export async function startTokenServer({
  clientSecret,
  refreshToken,
  lifeSeconds = 3_600,
}: TokenServerOptions): Promise<TokenServer> {
  const requests: URLSearchParams[] = [];
  const good = new Set<string>();
  let known = refreshToken;

  function answer(form: URLSearchParams): [status: number, body: Record<string, unknown>] {
    const given = form.get('client_secret');
    if (given !== clientSecret) return [401, { error: 'invalid_client', error_description: `no such ${given}` }];
    const grant = form.get('grant_type');
    if (grant !== (known === null ? 'client_credentials' : 'refresh_token'))
      return [400, { error: 'unsupported_grant_type' }];
    if (known !== null && form.get('refresh_token') !== known) return [400, { error: 'invalid_grant' }];
    const token = `token-${requests.length}`;
    good.add(token);
    // From here on only the new one is good.
    if (known !== null) known = `refresh-${requests.length}`;
    const next = known === null ? {} : { refresh_token: known };
    return [200, { access_token: token, token_type: 'Bearer', expires_in: lifeSeconds, ...next }];
  }

  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    requests.push(form);
    const [status, body] = request.method === 'POST' ? answer(form) : [405, {}];
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    requests,
    isGood: (token) => good.has(token),
    revokeAll: () => good.clear(),
    async close() {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
