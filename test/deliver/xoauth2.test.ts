/** A relay that wants tokens instead of a password, from the file's lines to the sink, before an honest token server. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { readRelaysFile } from '../../src/config/relays-file.ts';
import type { OAuthGrant } from '../../src/core/oauth-grant.ts';
import type { Relay } from '../../src/deliver/relay.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { Tokens } from '../../src/egress/oauth-token.ts';
import { relaysOf } from '../../src/process/relays.ts';
import { mail, openGate } from '../support/smtp-rig.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { createTemp } from '../support/temp.ts';
import { startTokenServer, type TokenServer, type TokenServerOptions } from '../support/token-server.ts';

const clientSecret = 'hunter2-is-the-secret';

type Rig = { relay: Relay; sink: Sink; tokens: TokenServer };

async function open(
  t: TestContext,
  { lines, ...options }: Pick<TokenServerOptions, 'refreshToken'> & { lines: string },
): Promise<Rig> {
  const temp = createTemp();
  const tokens = await startTokenServer({ clientSecret, ...options });
  const takesToken = (user: string, token: string) => user === 'me@shop.example' && tokens.isGood(token);
  const sink = await startSink({ takesToken });
  const path = temp.path('relays.toml');
  const url = `smtp://me%40shop.example@127.0.0.1:${sink.port}`;
  writeFileSync(
    path,
    `[[relay]]\nname = "one"\nurl = "${url}"\nauth = "xoauth2"\ntoken_url = "${tokens.url}"\nclient_id = "us"\n${lines}`,
  );
  const { file, problems } = readRelaysFile(path, {});
  assert.deepEqual(problems, []);
  const [known] = relaysOf({ kind: 'file', file }, { connections: 1 }).known;
  assert(known);
  const relay = known.open();
  t.after(async () => {
    await relay.close();
    await sink.close();
    await tokens.close();
    temp.remove();
  });
  return { relay, sink, tokens };
}

const withSecret = `client_secret = "${clientSecret}"\n`;

describe('a relay with tokens', () => {
  it('is logged in to with what a person has consented to; mails that follow use the same token', async (t) => {
    const lines = `${withSecret}refresh_token = "first"\nscope = "mail"\n`;
    const { relay, sink, tokens } = await open(t, { refreshToken: 'first', lines });
    for (const id of ['one', 'two']) {
      const outcome = await relay.ship(mail(id), openGate);
      assert.equal(outcome.phase === 'verdict' && outcome.reply.said.class, 'ok');
    }
    assert.equal(await relay.probe?.(), null);
    assert.equal(sink.count, 2);
    assert.deepEqual(
      tokens.requests.map((form) => Object.fromEntries(form)),
      [
        {
          grant_type: 'refresh_token',
          client_id: 'us',
          client_secret: clientSecret,
          refresh_token: 'first',
          scope: 'mail',
        },
      ],
    );
  });

  it('gets a new one, once, where it refuses the old one', async (t) => {
    const { relay, tokens } = await open(t, { refreshToken: null, lines: withSecret });
    assert.equal(await relay.probe?.(), null);
    tokens.revokeAll();
    assert.equal(await relay.probe?.(), null);
    assert.deepEqual(
      tokens.requests.map((form) => form.get('grant_type')),
      ['client_credentials', 'client_credentials'],
    );
  });

  it('is a refused login where the token server refuses us, in words without our secret', async (t) => {
    const { relay } = await open(t, { refreshToken: null, lines: 'client_secret = "hunter2-is-another"\n' });
    const reply = await relay.probe?.();
    assert.equal(reply?.said.problem, 'login');
    assert.match(reply?.text ?? '', /The token server said 401 invalid_client: no such \*\*\*/);
  });

  it('is one that cannot be reached where the token server cannot: that is no refused login', async (t) => {
    const { relay, tokens } = await open(t, { refreshToken: null, lines: withSecret });
    await tokens.close();
    const reply = await relay.probe?.();
    assert.equal(reply?.said.problem, undefined);
    assert.match(reply?.text ?? '', /could not be asked/);
  });
});

describe('tokens', () => {
  it('are asked for before they end, together, and with the newest refresh token', async (t) => {
    const server = await startTokenServer({ clientSecret, refreshToken: 'first', lifeSeconds: 600 });
    t.after(() => server.close());
    const grant: OAuthGrant = {
      tokenUrl: server.url,
      clientId: 'us',
      clientSecret,
      refreshToken: 'first',
      scope: null,
    };
    let now = 0;
    const tokens = new Tokens(grant, createEgress({ allow: ['127.0.0.0/8'] }), () => now);
    assert.deepEqual(await Promise.all([tokens.current(null), tokens.current(null)]), ['token-1', 'token-1']);
    now = 479_000;
    assert.equal(await tokens.current(null), 'token-1');
    now = 481_000;
    assert.equal(await tokens.current(null), 'token-2');
    assert.equal(server.requests[1]?.get('refresh_token'), 'refresh-1');
  });
});
