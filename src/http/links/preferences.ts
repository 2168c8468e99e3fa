/** Where a reader's link leads: a mail program's one click (RFC 8058), and a small page to choose on. */

import { html } from 'hono/html';

import { AppError } from '../../core/error.ts';
import { findContact } from '../../store/contacts/contacts.ts';
import { type ChosenTopic, listChoices } from '../../store/contacts/topics.ts';
import type { Reader } from '../../store/database.ts';
import { type AccountRules, isActive } from '../../use-cases/account-rules.ts';
import type { Contacts } from '../../use-cases/contacts.ts';
import type { Door } from '../app.ts';
import type { Bodies } from '../bodies.ts';
import type { HttpContext } from '../call.ts';
import { type PreferenceLinks, preferencesPath, type Recipient } from './preference-links.ts';

export type PreferenceParts = {
  database: Reader;
  links: PreferenceLinks;
  contacts: Contacts;
  bodies: Bodies;
  rules: Pick<AccountRules, 'find'>;
};

/** A form of as many topics as an account has. */
const formBytesMax = 64 * 1024;

export function preferencesDoor(parts: PreferenceParts): Door {
  return (app) => {
    // Programs that look at links before their reader does ask with GET: that changes nothing.
    app.get(preferencesPath, async (context) => showPage(parts, await open(parts, context), null));
    app.post(preferencesPath, async (context) => choose(parts, await open(parts, context), context));
  };
}

async function open({ links, rules }: PreferenceParts, context: HttpContext): Promise<Recipient> {
  const of = links.open(context.req.query());
  if (of && isActive(await rules.find(of.account))) return of;
  throw new AppError('not_found', 'This link is not complete: use the one in the mail.');
}

async function choose(parts: PreferenceParts, of: Recipient, context: HttpContext): Promise<Response> {
  const form = await readForm(parts, context);
  const { account, address, topic } = of;
  if (form.get('List-Unsubscribe') === 'One-Click') {
    await parts.contacts.unsubscribe(account, address, topic);
    return new Response('You have unsubscribed.\n', { headers: { 'content-type': 'text/plain; charset=utf-8' } });
  }
  if (form.get('all') === 'leave') {
    await parts.contacts.unsubscribe(account, address, null);
    return showPage(parts, of, 'You have unsubscribed from everything.');
  }
  const wanted = new Set(form.getAll('topic'));
  const shown = await choicesOf(parts, of);
  const choices = shown.map(({ id }) => ({
    topic: id,
    subscription: wanted.has(id) ? ('opt_in' as const) : ('opt_out' as const),
  }));
  await parts.contacts.put(account, { address, unsubscribed: false, choices });
  return showPage(parts, of, 'Your choice is saved.');
}

async function readForm({ bodies }: PreferenceParts, context: HttpContext): Promise<URLSearchParams> {
  const { bytes, release } = await bodies.read(context.env.incoming, formBytesMax);
  const text = Buffer.from(bytes).toString('utf8');
  release();
  // RFC 8058 3.2 lets mail programs write it as multipart/form-data, too.
  if (/name="List-Unsubscribe"\r?\n\r?\nOne-Click/i.test(text))
    return new URLSearchParams('List-Unsubscribe=One-Click');
  return new URLSearchParams(text);
}

/** Those that are shown to the public, and the one the mail belongs to. */
async function choicesOf(
  { database }: PreferenceParts,
  { account, address, topic }: Recipient,
): Promise<ChosenTopic[]> {
  const contact = await findContact(database, account, { address });
  const all = await listChoices(database, account, contact?.id ?? null);
  return all.filter(({ id, isPublic }) => isPublic || id === topic);
}

async function showPage(parts: PreferenceParts, of: Recipient, said: string | null): Promise<Response> {
  const contact = await findContact(parts.database, of.account, { address: of.address });
  const topics = await choicesOf(parts, of);
  const isOut = contact !== null && contact.unsubscribedAt !== null;
  const boxes = topics.map(({ id, name, description, subscription }) => {
    const mark = !isOut && subscription === 'opt_in' ? 'checked' : '';
    return html`<p><label><input type="checkbox" name="topic" value="${id}" ${mark}> <b>${name}</b></label> ${description ?? ''}</p>`;
  });
  const choosing = html`<form method="post">${boxes}
    <p><button>${topics.length > 0 ? 'Save' : 'Subscribe again'}</button></p></form>`;
  const leaving = html`<form method="post"><input type="hidden" name="all" value="leave">
    <p><button>Unsubscribe from everything</button></p></form>`;
  const body = html`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">
<title>Which mail do you want?</title></head>
<body><h1>Which mail do you want?</h1>
<p>${of.address}${isOut ? ' gets no mail of this kind.' : ''}</p>
${said === null ? '' : html`<p role="status"><b>${said}</b></p>`}
${topics.length > 0 || isOut ? choosing : ''}
${isOut ? '' : leaving}
</body></html>`;
  return new Response(String(await body), { headers });
}

const headers = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
};
