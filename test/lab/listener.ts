/** An endpoint that hears every event of a life and refuses some of them at first; and what it must have heard by the end. */

import type { Random } from '../support/random.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { testKey } from '../support/server.ts';
import type { Books } from './books.ts';

/** What the lab's kills can make happen. */
const events = ['email.sent', 'email.delivered', 'email.delivery_delayed', 'email.bounced', 'email.failed'];

/** One telling in so many is refused, and has to come again. */
const refusedOneIn = 8;

export async function startListener(random: Random): Promise<Receiver> {
  const receiver = await startReceiver(null);
  receiver.behave = () => (random() < 1 / refusedOneIn ? { status: 503 } : {});
  return receiver;
}

export async function listen(receiver: Receiver, serverUrl: string): Promise<void> {
  const response = await fetch(`${serverUrl}/webhooks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${testKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ endpoint: receiver.url, events }),
  });
  if (!response.ok) throw new Error(await response.text());
}

/** Events that are still to be told. */
export async function untold(books: Books): Promise<number> {
  return (await books.rows("select id from webhook_deliveries where state = 'pending' limit 1000")).length;
}

/** Every event was told, each under one id that says one thing, and nothing was told that did not happen. */
export async function unheard(books: Books, receiver: Receiver): Promise<string[]> {
  const violations: string[] = [];
  const types = events.map((name) => `'${name.replace('email.', '')}'`).join();
  const facts = (await books.rows(`select id from events where type in (${types})`)).length;
  const stored = await books.rows<{ id: string; email: string; type: string }>(
    'select d.id, e.email_id as email, e.type from events e join webhook_deliveries d on d.event = e.id',
  );
  if (stored.length !== facts) violations.push(`${facts} events happened, ${stored.length} are to be told`);
  const happened = new Map(stored.map(({ id, email, type }) => [id, `${email} email.${type}`]));
  const bodies = new Map<string, string>();
  for (const { headers, body, json } of receiver.told) {
    const id = String(headers['svix-id']);
    if (happened.get(id) !== `${json.data.email_id} ${json.type}`) violations.push(`${id} was told and did not happen`);
    if ((bodies.get(id) ?? body) !== body) violations.push(`${id} was told in two ways`);
    bodies.set(id, body);
  }
  const missed = stored.filter(({ id }) => !bodies.has(id)).length;
  if (missed > 0) violations.push(`${missed} events were never told`);
  return violations;
}
