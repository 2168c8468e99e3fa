/** Servers with something to look at: every state there is, made by real requests against a real relay in every mood. */

import { noneOpen } from '../support/open.ts';
import { startReceiver } from '../support/receiver.ts';
import { message, startTestServer, type TestServer, testKey } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { modes } from '../support/smtp-sink-modes.ts';

export type Scene = { server: TestServer; stop(): Promise<void> };

const invoice = `<div style="font-family:Georgia,serif;max-width:520px;margin:0 auto;color:#222">
<h1 style="font-size:24px">Thank you, Ann</h1>
<p>Your order <b>#10482</b> has been paid. We are packing it now.</p>
<table width="100%" cellpadding="8" style="border-collapse:collapse">
<tr style="background:#f4f1ea"><td>Linen shirt, white</td><td align="right">€ 59.00</td></tr>
<tr><td>Wool socks, 2 pairs</td><td align="right">€ 18.00</td></tr>
<tr style="background:#f4f1ea"><td><b>Total</b></td><td align="right"><b>€ 77.00</b></td></tr></table>
<p><a href="https://shop.example.com/orders/10482" style="display:inline-block;background:#7a4b2a;color:#fff;padding:12px 20px;border-radius:6px;text-decoration:none">See your order</a></p>
<p><img src="https://shop.example.com/banner.png" width="520" height="80"></p>
<p style="color:#666">Questions? <a href="http://localhost:3000/help">Write to us</a>.</p></div>`;

/** A relay that mostly takes what it gets, with one mail in each state. Time goes on between them. */
export async function startRelayScene(): Promise<Scene> {
  const sink = await startSink();
  const server = await startTestServer({ environment: { RELAY_URL: `smtp://127.0.0.1:${sink.port}` } });
  const receiver = await startReceiver(null);
  receiver.behave = ({ json }) =>
    json.type === 'email.bounced' ? { status: 503, body: 'the shop is closed' } : { body: 'ok' };
  const events = ['email.sent', 'email.bounced', 'email.delivery_delayed'];
  await server.call('POST', '/webhooks', { endpoint: `${receiver.url}/hooks/mail`, events });
  await fill(server, sink);
  await manage(server);
  return {
    server,
    async stop() {
      await server.stop();
      await receiver.close();
      await sink.close();
    },
  };
}

async function fill(server: TestServer, sink: Sink): Promise<void> {
  const from = 'Acme Shop <orders@shop.example.com>';
  const send = async (to: string, subject: string, key: string, more: Record<string, unknown> = {}) => {
    const body = message({ from, to: [to], subject, html: invoice, ...more });
    return (await server.call('POST', '/emails', body, { 'idempotency-key': key, 'user-agent': 'resend-node:6.38.0' }))
      .json.id as string;
  };
  const people = ['ann', 'bob', 'carla', 'deniz', 'emil', 'fatima', 'goran', 'hanna'];
  for (let hour = 0; hour < 22; hour++) {
    for (let mail = 0; mail <= (hour * 5) % 7; mail++) {
      const person = people[(hour + mail) % people.length];
      const key = `order-paid/${10400 + hour * 8 + mail}`;
      await send(`${person}@example.com`, `Your order #${10400 + hour * 8 + mail} has been paid`, key);
      if ((hour + mail) % 4 === 0)
        await send(`${person}@example.com`, `Your order #${10400 + hour * 8 + mail} has been paid`, key);
    }
    await settled(server);
    server.clock.advance(60 * 60_000);
  }
  sink.behave = ({ asked }) => (asked.length < 0 ? {} : { rcpt: (address) => refusalOf(address), ...dotFor() });
  function dotFor() {
    return mood === 'doubt' ? modes.acceptThenDrop : {};
  }
  let mood = 'fine';
  await send('gone@example.net', 'Your order #10590 has been paid', 'order-paid/10590');
  await send('hanna@example.com', 'Your order #10591 has been paid', 'order-paid/10591');
  await send('hanna@example.com', 'Your order #10591 was paid twice', 'order-paid/10591');
  await settled(server);
  mood = 'doubt';
  await send('ivan@example.com', 'Reset your password', 'password-reset/ivan/1');
  await server.until('one is in doubt', async () => (await server.call('GET', '/in-doubt')).json.data.length === 1);
  server.clock.advance(7 * 60_000);
  await send('judit@example.com', 'Your order #10592 has been paid', 'order-paid/10592', {
    attachments: [{ filename: 'invoice-10592.pdf', content: Buffer.from('%PDF-1.4 '.repeat(900)).toString('base64') }],
    tags: [{ name: 'kind', value: 'invoice' }],
  });
  await server.until('two are in doubt', async () => (await server.call('GET', '/in-doubt')).json.data.length === 2);
  mood = 'fine';
  await send('later@example.org', 'Your weekly digest', 'digest/later/48', { text: 'Hello' });
  await send('kim@example.com', 'See you tomorrow', 'reminder/kim/1', { scheduled_at: 'tomorrow at 9am' });
  const canceled = await send('lee@example.com', 'Never mind', 'reminder/lee/1', { scheduled_at: 'in 3 hours' });
  await server.call('POST', `/emails/${canceled}/cancel`);
  await server.until('one waits', async () =>
    (await server.call('GET', '/emails?limit=5')).json.data.some(
      (one: { last_event: string }) => one.last_event === 'delivery_delayed',
    ),
  );
  await server.tick();
}

function refusalOf(address: string): string | undefined {
  if (address.startsWith('gone@')) return '550 5.1.1 <gone@example.net>: no such mailbox here';
  if (address.startsWith('later@')) return '450 4.2.1 <later@example.org>: mailbox busy, try again later';
  return undefined;
}

/** What an account keeps beside its mail. */
async function manage(server: TestServer): Promise<void> {
  const make = async (path: string, body: object) => (await server.call('POST', path, body)).json;
  await make('/domains', { name: 'shop.example.com' });
  await make('/api-keys', { name: 'shop', permission: 'sending_access' });
  await make('/api-keys', { name: 'reports', permission: 'full_access' });
  const greeting = invoice.replace('Thank you, Ann', 'Thank you, {{{NAME}}}').replace('#10482', '{{{ORDER}}}');
  const variables = [
    { key: 'NAME', type: 'string', fallback_value: 'Ann' },
    { key: 'ORDER', type: 'string', fallback_value: '#10482' },
  ];
  const subject = 'Your order {{{ORDER}}} has been paid';
  const template = await make('/templates', {
    name: 'Order paid',
    alias: 'order-paid',
    subject,
    html: greeting,
    variables,
  });
  await server.call('POST', `/templates/${template.id}/publish`);
  await make('/topics', { name: 'Product news', default_subscription: 'opt_in', description: 'Once a month' });
  const { id: readers } = await make('/segments', { name: 'Newsletter readers' });
  for (const [index, name] of ['ann', 'bob', 'carla', 'deniz', 'emil', 'fatima'].entries()) {
    const first = `${name[0]?.toUpperCase()}${name.slice(1)}`;
    const person = { email: `${name}@example.com`, first_name: first, unsubscribed: index === 3 };
    await make('/contacts', { ...person, segments: [{ id: readers }] });
  }
  const news = { segment_id: readers, from: 'Acme Shop <news@shop.example.com>', html: invoice };
  await make('/broadcasts', { ...news, name: 'December', subject: 'What is new in December' });
  await make('/broadcasts', {
    ...news,
    name: 'Sale',
    subject: 'Two days left',
    send: true,
    scheduled_at: 'in 2 hours',
  });
  await make('/accounts', { name: 'shop' });
  await server.call('PATCH', '/accounts/shop', { emails_per_day: 50_000, requests_per_second: 20 });
  await make('/accounts/shop/domains', { domain: 'shop.example' });
}

/** A relay that is away, and mail that waits for it. */
export async function startFailingScene(): Promise<Scene> {
  const sink = await startSink();
  const { port } = sink;
  await sink.close();
  const server = await startTestServer({ environment: { RELAY_URL: `smtp://127.0.0.1:${port}` } });
  for (const name of ['ann', 'bob']) {
    await server.call('POST', '/emails', message({ to: [`${name}@example.com`], subject: `For ${name}` }));
  }
  await server.until('both are put off', async () => {
    const { data } = (await server.call('GET', '/emails')).json;
    return data.some((one: { last_event: string }) => one.last_event === 'delivery_delayed');
  });
  await server.tick();
  return { server, stop: () => server.stop() };
}

async function settled(server: TestServer): Promise<void> {
  await server.until('all is settled', async () => {
    const { text } = await server.call('GET', '/metrics');
    return noneOpen(text, ['queued', 'sending', 'handoff']);
  });
}

/** A laptop: mail is captured. */
export async function startCaptureScene(): Promise<Scene> {
  const server = await startTestServer();
  const from = 'Acme Shop <orders@shop.example.com>';
  await server.call(
    'POST',
    '/emails',
    message({
      from,
      to: ['bob@example.com'],
      subject: 'Your sign-in code',
      html: null,
      text: 'Your code is 481 920.\n\nIt works once, for ten minutes.',
    }),
  );
  await server.call(
    'POST',
    '/emails',
    message({
      from,
      to: ['team@example.com'],
      subject: 'Weekly report',
      html: '<h1>Weekly report</h1><p>All is well.</p>',
      text: '',
    }),
  );
  await server.call(
    'POST',
    '/emails',
    message({ from, to: ['Ann Example <ann@example.com>'], subject: 'Your order #10482 has been paid', html: invoice }),
  );
  await settled(server);
  await server.tick();
  return { server, stop: () => server.stop() };
}

export { testKey };
