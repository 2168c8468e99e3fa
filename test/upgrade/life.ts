/** What happens to an old server before it is left: mail in every state there is, keys, webhooks, templates, suppressions. */

import type { Account, Exchange, Request } from './left.ts';
import type { OldServer } from './old-server.ts';

/** What the life leaves that can be asked for again; the rest of `Left` is told by the server. */
export type Lived = {
  emails: Record<string, string>;
  unfinished: Record<string, string>;
  webhooks: Record<string, string>;
  batchId: string;
  replays: Exchange[];
  conflicts: Exchange[];
  expired: Exchange[];
};

const html = '<h1>Thank you, Änn</h1><p>Your order <b>#10482</b> has been paid.</p>';
const file = (text: string) => Buffer.from(text).toString('base64');

export async function live(server: OldServer): Promise<Lived> {
  const life = new Life(server);
  await life.prepare();
  await life.exhaustWebhook();
  await life.sendTheOldKey();
  server.pass(20 * 60);
  await life.sendToEachEnd();
  await life.answerDoubts();
  await server.tick();
  await life.deferManyTimes();
  await life.sendFreshKeys();
  await life.leaveOtherAccountInTheMiddle();
  return life.lived;
}

class Life {
  readonly lived: Lived = {
    ...{ emails: {}, unfinished: {}, webhooks: {}, batchId: '', replays: [], conflicts: [], expired: [] },
  };
  readonly #server: OldServer;

  constructor(server: OldServer) {
    this.#server = server;
  }

  /** Webhooks of both facades, some of which fail; templates, a sender, suppressions. */
  async prepare(): Promise<void> {
    const { receiver } = this.#server;
    receiver.behave = ({ path }) => {
      if (path.startsWith('/hang')) return 'hang';
      return path.startsWith('/down') ? { status: 503, body: 'closed' } : {};
    };
    const all = ['sent', 'delivered', 'delivery_delayed', 'bounced', 'complained', 'failed', 'suppressed', 'scheduled'];
    await this.#hook('well', `${receiver.url}/well`, [
      ...all.map((type) => `email.${type}`),
      'suppression.added',
      'suppression.removed',
    ]);
    await this.#hook('down', `${receiver.url}/down`, ['email.bounced', 'email.failed']);
    await this.#hook('other', `${receiver.url}/hang`, ['email.sent'], 'other');
    const brevo = { url: `${receiver.url}/brevo`, events: ['sent', 'hardBounce', 'softBounce', 'deferred', 'blocked'] };
    this.lived.webhooks.brevo = `${(await this.#done('/v3/webhooks', brevo)).id}`;
    const down = { url: `${receiver.url}/down-too`, events: ['hardBounce'], description: 'for the shop' };
    this.lived.webhooks.brevoDown = `${(await this.#done('/v3/webhooks', down)).id}`;
    await this.#done('/v3/senders', { name: 'Acme Shop', email: 'shop@acme.test' });
    const template = {
      templateName: 'paid',
      subject: 'Paid: {{params.order}}',
      htmlContent: `${html}{{params.order}}`,
    };
    await this.#done('/v3/smtp/templates', { ...template, sender: { email: 'shop@acme.test' }, isActive: true });
    await this.#done('/suppressions', { email: 'never@example.com' });
    await this.#done('/suppressions', { email: 'complains@example.com', origin: 'complaint' });
    await this.#done('/suppressions', { email: 'sorry@example.com' });
    await this.#ask('DELETE', '/suppressions/sorry@example.com');
  }

  /** Eight attempts in 27 and a half hours; from then on the telling has failed. */
  async exhaustWebhook(): Promise<void> {
    const { receiver } = this.#server;
    await this.#send('gone', { to: ['gone@example.com'] });
    for (let tries = 1; tries <= 8; tries += 1) {
      await receiver.until(({ told }) => told.filter(({ path }) => path === '/down').length >= tries);
      if (tries < 8) await this.#until('its next attempt is planned', () => this.#isCalm('down'));
      this.#server.pass(10 * 60);
    }
    await this.#until('it has failed', async () =>
      (await this.#tellings('down')).every((one) => one.status === 'failed'),
    );
  }

  async sendTheOldKey(): Promise<void> {
    const request = this.#keyed('old key', { from: 'shop@acme.test', to: ['ann@example.com'] });
    await this.#sendKeyed('old key', request);
    this.lived.expired.push({ ...request, status: 200, text: '' });
    await this.#happened('old key', 'sent');
  }

  /** Mail to each state that lasts, and what it is told on the way. */
  async sendToEachEnd(): Promise<void> {
    for (const end of ['delivered', 'bounced', 'complained', 'suppressed']) {
      await this.#send(`simulated ${end}`, { to: [`${end}@resend.dev`] });
    }
    await this.#send('spam', { from: 'spam@acme.test' });
    await this.#send('suppressed', { to: ['never@example.com'] });
    const to = [
      'ann@example.com',
      'gone-too@example.com',
      'gone-also@example.com',
      'full@example.com',
      'never@example.com',
    ];
    await this.#send('parts', { from: 'parts@acme.test', to });
    await this.#send('files', {
      ...{ cc: ['Bob <bob@example.com>'], bcc: ['carla@example.com'], reply_to: ['help@acme.test'], text: 'Paid: ✓' },
      ...{ headers: { 'X-Order': '10482' }, tags: [{ name: 'kind', value: 'invoice' }] },
      attachments: [
        { filename: 'invoice.pdf', content: file('%PDF-1.4 small') },
        { filename: 'logo.png', content: file('a picture'), content_id: 'logo' },
      ],
    });
    const at = (hours: number) => new Date(this.#server.clock.now() + hours * 3_600_000).toISOString();
    await this.#send('canceled', { scheduled_at: at(30) });
    await this.#done(`/emails/${this.lived.emails.canceled}/cancel`, {});
    await this.#send('moved', { scheduled_at: at(20) });
    await this.#ask('PATCH', `/emails/${this.lived.emails.moved}`, { scheduled_at: at(30) });
    for (const name of ['scheduled', 'scheduled, to be moved', 'scheduled, to be canceled']) {
      const mail = { from: 'shop@acme.test', to: ['ann@example.com'], scheduled_at: at(30) };
      await this.#sendKeyed(name, this.#keyed(name, mail));
    }
    await this.#sendBrevo();
    const doubts = {
      held: 'doubt',
      'held, not taken': 'lost',
      'said sent': 'doubt',
      abandoned: 'lost',
      again: 'once',
      twice: 'twice',
    };
    const waiting = { busy: 'busy', later: 'later', away: 'away' };
    for (const [name, from] of Object.entries({ ...doubts, ...waiting })) {
      await this.#send(name, { from: `${from}@acme.test` });
    }
  }

  async #sendBrevo(): Promise<void> {
    const mail = { sender: { email: 'shop@acme.test' }, to: [{ email: 'ann@example.com', name: 'Ann' }] };
    const at = new Date(this.#server.clock.now() + 30 * 3_600_000).toISOString();
    const versions = ['ann', 'bob'].map((name) => ({
      to: [{ email: `${name}@example.com` }],
      params: { order: name },
    }));
    await this.#sendBrevoMail('from a template', { ...mail, templateId: 2, params: { order: '1' }, tags: ['paid'] });
    await this.#sendBrevoMail('versions', {
      ...mail,
      subject: 'Hi {{params.order}}',
      htmlContent: html,
      messageVersions: versions,
    });
    const scheduled = { ...mail, subject: 'Later', htmlContent: html, scheduledAt: at };
    this.lived.batchId = (await this.#sendBrevoMail('scheduled by brevo', scheduled)).batchId;
    const headers = { idempotencyKey: 'brevo, old' };
    const request = { path: '/v3/smtp/email', body: { ...mail, subject: 'Hi', textContent: 'Hello', headers } };
    const { status } = await this.#exchange(request);
    this.lived.expired.push({ account: 'own', method: 'POST', ...request, status, text: '' });
  }

  async #sendBrevoMail(name: string, body: unknown) {
    const answer = await this.#done('/v3/smtp/email', body);
    for (const [index, messageId] of [answer.messageId, answer.messageIds].flat().filter(Boolean).entries()) {
      this.lived.emails[index === 0 ? name : `${name} ${index}`] = messageId.slice(1, 37);
    }
    return answer;
  }

  async answerDoubts(): Promise<void> {
    const { emails } = this.lived;
    const doubts = ['held', 'held, not taken', 'said sent', 'abandoned', 'again', 'twice'];
    await this.#until('all doubts are there', async () => (await this.#list('/in-doubt')).length === doubts.length);
    await this.#done(`/in-doubt/${emails['said sent']}`, { answer: 'sent' });
    await this.#done(`/in-doubt/${emails.abandoned}`, { answer: 'abandon' });
    await this.#done(`/in-doubt/${emails.again}`, { answer: 'send-again' });
    await this.#done(`/in-doubt/${emails.twice}`, { answer: 'send-again' });
    await this.#happened('again', 'sent');
  }

  /** Until the next attempt of each is far enough away for somebody to look at what waits. */
  async deferManyTimes(): Promise<void> {
    const { transactionsOf } = this.#server;
    const senders = ['busy', 'later', 'away', 'parts', 'twice'];
    for (let times = 1; times <= 7; times += 1) {
      await this.#until('each was tried again', async () => senders.every((name) => transactionsOf(name) >= times));
      await this.#until('nothing is under way', async () => {
        const { text } = await this.#server.get('/metrics');
        return !/_open_deliveries\{state="(sending|handoff)"\} [^0]/.test(text);
      });
      await this.#until('webhooks are told', async () => (await this.#isCalm('down')) && (await this.#isCalm('well')));
      if (times < 7) this.#server.pass(45);
    }
  }

  /** The keys that live when the server is left, used again before. */
  async sendFreshKeys(): Promise<void> {
    const one = this.#keyed('live key', { from: 'shop@acme.test', to: ['ann@example.com'] });
    await this.#sendKeyed('live key', one);
    const mails = [
      { ...one.body, to: ['bob@example.com'], subject: 'first of three' },
      { ...one.body, to: ['never@example.com', 'deniz@example.com'], subject: 'second' },
      { ...one.body, to: 'nobody', subject: 'third' },
    ];
    const headers = { 'idempotency-key': 'live batch', 'x-batch-validation': 'permissive' };
    const batch = { ...one, path: '/emails/batch', body: mails, headers };
    const batched = await this.#exchange(batch);
    const [first, second] = JSON.parse(batched.text).data;
    Object.assign(this.lived.emails, { 'batched 1': first.id, 'batched 2': second.id });
    const fields = {
      sender: { email: 'shop@acme.test' },
      to: [{ email: 'ann@example.com' }],
      subject: 'Hi',
      textContent: 'Hi',
    };
    const brevo = { path: '/v3/smtp/email', body: { ...fields, headers: { idempotencyKey: 'brevo, live' } } };
    this.lived.emails['live brevo key'] = JSON.parse((await this.#exchange(brevo)).text).messageId.slice(1, 37);
    for (const name of ['live key', 'batched 1', 'batched 2']) await this.#happened(name, 'sent');
    const scheduled = this.lived.replays.filter(({ headers }) => headers?.['idempotency-key']?.startsWith('scheduled'));
    this.lived.replays = [];
    for (const request of [one, batch, brevo, ...scheduled]) this.lived.replays.push(await this.#exchange(request));
    const others = [
      { ...one, body: { ...one.body, subject: 'another' } },
      { ...batch, body: mails.slice(1) },
    ];
    for (const request of others) this.lived.conflicts.push(await this.#exchange(request));
    await this.#until('webhooks are told', () => this.#isCalm('well'));
  }

  /** Claimed, behind the gate, in doubt for ten minutes yet: under an account of its own, since the next start changes it. */
  async leaveOtherAccountInTheMiddle(): Promise<void> {
    const again = { headers: { 'sendonce-in-doubt': 'send-again' } };
    await this.#send('told to a webhook that hangs', {}, 'other');
    await this.#send('in doubt, sent again', { from: 'doubt@acme.test', ...again }, 'other');
    await this.#until('one is in doubt', async () => (await this.#list('/in-doubt', 'other')).length === 1);
    await this.#send('claimed', { from: 'stuck@acme.test' }, 'other');
    await this.#send('handed off', { from: 'silent@acme.test' }, 'other');
    await this.#send('handed off, sent again', { from: 'silent@acme.test', ...again }, 'other');
    const { sink, receiver, transactionsOf, mails } = this.#server;
    const isBehind = (name: string) => mails.has(this.lived.unfinished[name] ?? '');
    await sink.until(() => transactionsOf('stuck') > 0 && isBehind('handed off') && isBehind('handed off, sent again'));
    await receiver.until(({ told }) => told.some(({ path }) => path === '/hang'));
  }

  #keyed(name: string, body: Record<string, unknown>): Request & { body: Record<string, unknown> } {
    const whole = { subject: name, html, ...body };
    return { account: 'own', method: 'POST', path: '/emails', body: whole, headers: { 'idempotency-key': name } };
  }

  /** Kept as a replay: the same request is answered so again. */
  async #sendKeyed(name: string, request: Request): Promise<void> {
    const exchange = await this.#exchange(request);
    this.lived.emails[name] = JSON.parse(exchange.text).id;
    this.lived.replays.push(exchange);
  }

  async #send(name: string, change: Record<string, unknown>, account: Account = 'own'): Promise<void> {
    const body = { from: 'Acme <shop@acme.test>', to: ['ann@example.com'], subject: name, html, ...change };
    const { emails, unfinished } = this.lived;
    (account === 'own' ? emails : unfinished)[name] = (await this.#done('/emails', body, account)).id;
  }

  async #hook(name: string, endpoint: string, events: string[], account: Account = 'own'): Promise<void> {
    this.lived.webhooks[name] = (await this.#done('/webhooks', { endpoint, events }, account)).id;
  }

  #exchange(request: Pick<Request, 'path'> & Partial<Request>): Promise<Exchange> {
    return this.#server.ask({ account: 'own', method: 'POST', ...request });
  }

  // biome-ignore lint/suspicious/noExplicitAny: replies are looked into, member by member.
  #done(path: string, body: unknown, account: Account = 'own'): Promise<any> {
    return this.#ask('POST', path, body, account);
  }

  /** @throws Error where it is refused. */
  // biome-ignore lint/suspicious/noExplicitAny: replies are looked into, member by member.
  async #ask(method: string, path: string, body?: unknown, account: Account = 'own'): Promise<any> {
    const { status, text } = await this.#exchange({ account, method, path, body });
    if (status >= 300) throw new Error(`${path}: ${status} ${text}`);
    return text === '' ? null : JSON.parse(text);
  }

  // biome-ignore lint/suspicious/noExplicitAny: replies are looked into, member by member.
  async #list(path: string, account: Account = 'own'): Promise<any[]> {
    return JSON.parse((await this.#server.get(path, account)).text).data;
  }

  #tellings(webhook: string): Promise<{ id: string; status: string }[]> {
    return this.#list(`/webhooks/${this.lived.webhooks[webhook]}/events?limit=100`);
  }

  /** Nothing is to be told, or told again, for a while. */
  async #isCalm(webhook: string): Promise<boolean> {
    for (const { id, status } of await this.#tellings(webhook)) {
      if (status === 'attempting') return false;
      if (status !== 'pending') continue;
      const { text } = await this.#server.get(`/webhooks/${this.lived.webhooks[webhook]}/events/${id}`);
      if (Date.parse(JSON.parse(text).next_attempt_at) < this.#server.clock.now()) return false;
    }
    return true;
  }

  #happened(name: string, type: string): Promise<void> {
    return this.#until(`${name} is ${type}`, async () =>
      (await this.#list(`/emails/${this.lived.emails[name]}/events`)).some((event) => event.type === type),
    );
  }

  async #until(what: string, condition: () => Promise<boolean>): Promise<void> {
    const giveUpAt = performance.now() + 120_000;
    while (!(await condition())) {
      if (performance.now() > giveUpAt) throw new Error(`waited in vain until ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
