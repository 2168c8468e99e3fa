/** The listener for mail, whoever takes it: when it replies, when it rather says nothing, and how it stops. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { SMTPServerSession } from 'smtp-server';
import { limits } from '../../src/config/limits.ts';
import { AppError, CommitUnknown } from '../../src/core/error.ts';
import { Room } from '../../src/core/room.ts';
import { Bodies } from '../../src/http/bodies.ts';
import type { Intake } from '../../src/listen/intake.ts';
import { MailListener } from '../../src/listen/mail-listener.ts';
import { MailSessions, type SessionParts } from '../../src/listen/mail-session.ts';
import { RawClient } from '../support/mail-client.ts';

const caller = { account: 'default', permission: 'full_access', domain: null, requestsPerSecond: null } as const;

function partsWith(intakes: readonly Intake[], change: Partial<SessionParts> = {}): SessionParts {
  const bodies = new Bodies(limits, new Room(limits.bodiesAtWorkBytesMax), () => {});
  return { checkKey: () => caller, bodies, rateLimit: () => null, intakes, ...change };
}

async function listen(t: TestContext, parts: SessionParts): Promise<MailListener> {
  const shape = { host: '127.0.0.1', port: 0, isSecure: false, tls: null, name: 'mail.example', bytesMax: 1_000_000 };
  const listener = new MailListener({ ...shape, recipientsMax: 3, ...parts });
  await listener.start();
  t.after(() => listener.stop());
  return listener;
}

/** Takes what is for its domain, from anybody. */
function intakeOf(domain: string, receive: Intake['receive']): Intake {
  return { bytesMax: 1_000_000, takes: (recipient) => recipient.endsWith(`@${domain}`), receive };
}

const nobody = intakeOf('nobody.example', async () => 'never');

describe('who takes a mail', () => {
  it('is asked in turn for each recipient, and one mail is one intake’s', async (t) => {
    const taken: string[][] = [];
    const taking = (domain: string) =>
      intakeOf(domain, async ({ to }, { bytes }) => {
        taken.push([domain, ...to, Buffer.from(bytes).toString()]);
        return '2.0.0 fine';
      });
    const { port } = await listen(t, partsWith([taking('a.example'), taking('b.example')]));
    const client = await RawClient.open(port);
    await client.ask('EHLO client.example');
    assert.match(await client.ask('MAIL FROM:<x@y.example>'), /^250 /);
    assert.match(await client.ask('RCPT TO:<one@b.example>'), /^250 /);
    assert.match(await client.ask('RCPT TO:<one@a.example>'), /^451 4\.5\.3 /);
    assert.match(await client.ask('RCPT TO:<one@c.example>'), /^530 5\.7\.0 /);
    assert.match(await client.ask('RCPT TO:<two@b.example>'), /^250 /);
    assert.match(await client.ask('DATA'), /^354 /);
    assert.equal(await client.ask('text\r\n.'), '250 2.0.0 fine');
    assert.deepEqual(taken, [['b.example', 'one@b.example', 'two@b.example', 'text\r\n']]);
    client.cut();
  });
});

describe('a reply that would not be true', () => {
  for (const [what, error] of [
    ['nobody knows what became of the commit', new CommitUnknown('lost')],
    ['what should not happen did', new Error('a bug')],
  ] as const) {
    it(`is not given where ${what}`, async (t) => {
      const failing = intakeOf('a.example', () => Promise.reject(error));
      const { port } = await listen(t, partsWith([nobody, failing]));
      const client = await RawClient.open(port);
      await client.ask('EHLO client.example');
      assert.deepEqual([await client.send('text', ['one@a.example']), client.isClosed], ['', true]);
    });
  }

  it('but what is known is said (control)', async (t) => {
    const failing = intakeOf('a.example', () => Promise.reject(new AppError('unavailable', 'Not now.')));
    const { port } = await listen(t, partsWith([nobody, failing]));
    const client = await RawClient.open(port);
    await client.ask('EHLO client.example');
    assert.equal(await client.send('text', ['one@a.example']), '451 4.3.0 Not now.');
    client.cut();
  });
});

describe('a stop', () => {
  it('waits for the mail under way, and sends away who is between two', async (t) => {
    const gate = latch();
    const began = latch();
    const slow = intakeOf('a.example', async () => {
      began.open();
      await gate.opened;
      return '2.0.0 fine';
    });
    const listener = await listen(t, partsWith([nobody, slow]));
    const [idle, busy] = [await RawClient.open(listener.port), await RawClient.open(listener.port)];
    await busy.ask('EHLO client.example');
    const sent = busy.send('text', ['one@a.example']);
    await began.opened;
    const stopped = listener.stop();
    assert.match(await idle.reply(), /^421 4\.3\.2 /);
    gate.open();
    assert.equal(await sent, '250 2.0.0 fine');
    await stopped;
  });
});

describe('a stranger', () => {
  it('is sent away after a while, and one of too many at once', async (t) => {
    const { port } = await listen(t, partsWith([nobody], { strangers: { perAddressMax: 2, msMax: 1_000 } }));
    const first = await RawClient.open(port);
    const second = await RawClient.signedIn(port);
    const third = await RawClient.open(port);
    const fourth = await RawClient.open(port, /^421 4\.7\.0 /);
    assert.match(await first.reply(), /^421 4\.4\.2 /);
    assert.match(await second.ask('NOOP'), /^250 /);
    for (const one of [second, third, fourth]) one.cut();
  });
});

/** Of a client elsewhere: no test has a second machine. */
function elsewhere(): SMTPServerSession {
  return { id: 'x', secure: false, remoteAddress: '192.0.2.7', openingCommand: 'EHLO' } as SMTPServerSession;
}

describe('a key in the clear', () => {
  const connections = { cut() {}, busy() {}, sendAway() {} };

  it('is not asked for, and not looked at, from another machine', async () => {
    let looks = 0;
    const checkKey = () => {
      looks += 1;
      return caller;
    };
    const { handlers } = new MailSessions(partsWith([nobody], { checkKey }), connections);
    const session = elsewhere();
    await new Promise<void>((resolve) => handlers.onConnect(session, () => resolve()));
    assert.deepEqual(session.disabledCommands, ['AUTH']);
    const signIn = () =>
      new Promise((resolve) => {
        handlers.onAuth({ method: 'PLAIN', password: 'k', validatePassword: () => true }, session, (error, value) =>
          resolve(error ?? value),
        );
      });
    assert.match(String(await signIn()), /5\.7\.11 .*STARTTLS/);
    assert.equal(looks, 0);
    session.secure = true;
    await new Promise<void>((resolve) => handlers.onSecure(undefined as never, session, () => resolve()));
    assert.deepEqual([session.disabledCommands, await signIn(), looks], [undefined, { user: 'default' }, 1]);
    handlers.onClose(session, () => {});
  });
});

function latch(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
