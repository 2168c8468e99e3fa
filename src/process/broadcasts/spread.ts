/** Makes broadcasts into emails, some hundred at a time: those of a step and where it ended are one transaction. */

import type { Broadcast } from '../../core/broadcast.ts';
import type { Clock } from '../../core/clock.ts';
import type { Contact, ContactProperty } from '../../core/contact.ts';
import type { Message } from '../../core/email.ts';
import { AppError } from '../../core/error.ts';
import { suppressionKey } from '../../core/suppression.ts';
import { type PreferenceLinks, unsubscribeHeaders } from '../../http/links/preference-links.ts';
import type { Rendering } from '../../render/renderer.ts';
import { makeTextParts } from '../../render/text-parts.ts';
import { moveCursor, nextTurns, type Step } from '../../store/broadcasts.ts';
import { listProperties } from '../../store/contacts/properties.ts';
import { findTopic } from '../../store/contacts/topics.ts';
import type { Database } from '../../store/database.ts';
import type { Accepting } from '../../use-cases/accept.ts';
import type { Spreading } from '../../use-cases/broadcasts.ts';
import { type Endpoint, requestTo } from '../../use-cases/submission.ts';

export type SpreadOptions = {
  database: Database;
  clock: Pick<Clock, 'now'>;
  spreading: Spreading;
  accepting: Accepting;
  links: PreferenceLinks;
};

/** Emails of one transaction: as a batch has. */
const stepSize = 100;
/** Of one round; the next one comes a second later, and other chores in between. */
const stepsMax = 20;
/** Longer than a round takes: another process goes on after it. */
const claimMs = 60_000;
/** What is in the way may be mended. */
const laterMs = 60_000;

/** Nobody repeats it: what has become of a step is told by the cursor. */
const endpoint: Endpoint = {
  facade: 'broadcast',
  name: 'broadcast',
  keyTerms: { lifetimeMs: 0, followsSchedule: false },
  differences: null,
};

/** One round: of the broadcast that has waited longest, as far as it goes. */
export async function spreadDue(options: SpreadOptions): Promise<void> {
  const { spreading, clock } = options;
  const claimed = await spreading.claim(claimMs);
  if (!claimed) return;
  let step: Step = claimed;
  try {
    for (let steps = 0; steps < stepsMax; steps += 1) {
      const cursor = await spreadStep(options, claimed, step);
      if (cursor === null) return await spreading.end(step);
      step = { ...step, cursor };
    }
    await spreading.putOff(step, { until: clock.now(), trouble: null });
  } catch (error) {
    if (error instanceof Overtaken) return;
    if (!(error instanceof AppError)) throw error;
    const waitMs = error.retryAfterSeconds === null ? laterMs : error.retryAfterSeconds * 1_000;
    const trouble = error.code === 'unavailable' ? null : error.message;
    await spreading.putOff(step, { until: clock.now() + waitMs, trouble });
  }
}

/** Called off, or gone on with by another process: nothing of the step is kept. */
class Overtaken extends Error {}

/** The contact it ended with; null: everybody had their turn. */
async function spreadStep(options: SpreadOptions, broadcast: Broadcast, step: Step): Promise<string | null> {
  const { database, accepting } = options;
  const { account, content } = broadcast;
  const topic = content.topic === null ? null : await findTopic(database, account, content.topic);
  const turns = await nextTurns(
    database,
    { account, id: broadcast.id, cursor: step.cursor },
    {
      segment: content.segment ?? '',
      topic: topic && { id: topic.id, byDefault: topic.defaultSubscription },
      limit: stepSize,
    },
  );
  const cursor = turns.at(-1)?.contact.id ?? null;
  if (cursor === null) return null;
  const contacts = turns.filter(({ wants }) => wants).map(({ contact }) => contact);
  const next = { cursor, addresses: contacts.map(({ address }) => suppressionKey(address)) };
  const move = async (tx: Parameters<typeof moveCursor>[0]) => {
    if (!(await moveCursor(tx, step, next))) throw new Overtaken();
  };
  if (contacts.length === 0) {
    await database.write(move);
    return cursor;
  }
  const client = { caller: { account }, userAgent: null, requestId: undefined, traceparent: null };
  const request = requestTo(endpoint, client, { key: null, body: Buffer.from('{}'), json: {} });
  const found = await accepting.lookUp(request);
  if (found.kind !== 'new') throw new Overtaken();
  const preparing = messagesFor(options, found.rendering, broadcast, contacts).then((messages) => ({
    messages,
    answer: () => ({ status: 200, body: '' }),
    isBulk: true,
    also: move,
  }));
  await accepting.commit(found, preparing);
  return cursor;
}

async function messagesFor(
  { database, links }: SpreadOptions,
  rendering: Rendering,
  { account, id, content }: Broadcast,
  contacts: readonly Contact[],
): Promise<Message[]> {
  const page = { limit: null, after: null, before: null };
  const { properties } = await listProperties(database, account, page);
  const html = content.html === null ? null : withPreview(content.html, content.previewText);
  // Made once of what is to be filled in: a step has one text part to make, not a hundred.
  const [made = null] =
    content.text === null ? await makeTextParts(rendering, [{ html: content.html, text: null }]) : [];
  const text = content.text ?? made ?? '';
  const texts = { subject: content.subject ?? '', text, ...(html === null ? {} : { html }) };
  const linkOf = ({ address }: Contact) => links.create({ account, address, topic: content.topic });
  const filled = await rendering.run(
    'fillPlaceholders',
    contacts.map((contact) => ({ texts, values: valuesOf(contact, linkOf(contact), properties) })),
  );
  return contacts.map((contact, index): Message => {
    const one = filled[index];
    if (one?.kind === 'refused') throw one.error;
    if (one?.kind !== 'made') throw new AppError('unavailable', 'There was no time to fill in the broadcast.');
    return {
      from: content.from ?? '',
      to: [contact.address],
      cc: [],
      bcc: [],
      replyTo: content.replyTo,
      subject: (one.value.subject ?? '').replace(/[\r\n\0]+/g, ' '),
      html: one.value.html ?? null,
      text: one.value.text ?? '',
      headers: unsubscribeHeaders(linkOf(contact)),
      tags: [],
      topicId: content.topic,
      broadcastId: id,
      attachments: [],
      scheduledText: null,
      scheduledAt: null,
    };
  });
}

/** As Resend names them; a property by its name, with its fallback where the contact has none. */
function valuesOf(contact: Contact, link: string, properties: readonly ContactProperty[]): Record<string, string> {
  const { address, firstName, lastName } = contact;
  const fallbacks = properties.flatMap(({ name, fallback }) => (fallback === null ? [] : [[name, fallback] as const]));
  const known = Object.entries({ ...Object.fromEntries(fallbacks), ...contact.properties });
  return {
    ...Object.fromEntries(
      known.flatMap(([name, value]) => [name, `contact.${name}`].map((one) => [one, String(value)])),
    ),
    ...{ EMAIL: address, FIRST_NAME: firstName ?? '', LAST_NAME: lastName ?? '' },
    ...{ 'contact.email': address, 'contact.first_name': firstName ?? '', 'contact.last_name': lastName ?? '' },
    ...{ UNSUBSCRIBE_URL: link, RESEND_UNSUBSCRIBE_URL: link },
  };
}

/** What a list of mails shows beside the subject: in the mail it is hidden. */
function withPreview(html: string, previewText: string | null): string {
  if (previewText === null) return html;
  const escaped = previewText.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`);
  const hidden = `<div style="display:none;max-height:0;overflow:hidden">${escaped}</div>`;
  const body = /<body[^<>]*>/i.exec(html);
  const at = body ? body.index + body[0].length : 0;
  return html.slice(0, at) + hidden + html.slice(at);
}
