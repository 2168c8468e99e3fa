/** What leaves of a delivery: its email read, composed, and bound to what an earlier attempt may have handed over. */

import type { Made } from '../core/compose.ts';
import type { SignerFor } from '../core/dkim.ts';
import type { DsnAsked } from '../core/dsn.ts';
import { returnPathOf, senderAddress } from '../core/envelope.ts';
import { bufferOf } from '../core/pieces.ts';
import { isAsciiText, needsUtf8 } from '../core/plain.ts';
import type { Composed } from '../core/raw-mail.ts';
import { tagOf } from '../core/route.ts';
import type { Composing } from '../render/composer.ts';
import type { Renderer } from '../render/renderer.ts';
import { makeTextParts } from '../render/text-parts.ts';
import type { Database } from '../store/database.ts';
import { type Delivery, emailName } from '../store/mail/deliveries.ts';
import { type EmailToCompose, findEmailToCompose } from '../store/mail/email-to-compose.ts';
import { keepMadeText } from '../store/mail/emails.ts';
import type { LargeMails, Passage } from './large-mails.ts';

export type LeavingOptions = {
  database: Database;
  renderer: Pick<Renderer, 'openLater'>;
  compose: Composing;
  largeMails: LargeMails;
  signerFor: SignerFor;
};

/** `from`: its author's; `returnPath`: who the relay is told. `passage`: of a large mail, for its owner to end. */
export type Leaving = Made & {
  from: string;
  returnPath: string;
  /** What its client asked relays to notify of. */
  asked: DsnAsked | undefined;
  tag: string | null;
  /** Null: it is no mail that its reader can leave. */
  leavable: { topic: string | null } | null;
  passage: Passage | null;
};

/** Why nothing leaves: there is no memory for it now; or it is held, for a person to decide. */
export type Staying = { why: 'later' } | { why: 'hold'; reason: string };

/** Nothing is kept of the email but what leaves: a large one would take its size again while the relay takes it. */
export async function findLeaving(options: LeavingOptions, delivery: Delivery): Promise<Leaving | Staying> {
  const found = await readEmail(options, delivery);
  if (found === 'later') return { why: 'later' };
  if (!found) return { why: 'hold', reason: 'The contents of this email are gone from the database.' };
  const { passage } = found;
  try {
    const email = await withText(options, delivery, found.email);
    const from = senderAddress(email);
    const signer = await options.signerFor(delivery.account, from.split('@').pop() ?? '');
    const isPlain = !needsUtf8(email) && [returnPathOf(email), ...delivery.recipients].every(isAsciiText);
    const made = await options.compose(email, signer, !isPlain);
    passage?.composed();
    const bound = boundTo(delivery, made);
    if (bound)
      return {
        ...bound,
        from,
        returnPath: returnPathOf(email),
        asked: email.raw?.dsn,
        tag: tagOf(email.tags),
        leavable: leavableOf(email),
        passage,
      };
    passage?.done();
    return { why: 'hold', reason: 'This version composes other bytes than the first attempt handed over.' };
  } catch (error) {
    passage?.done();
    throw error;
  }
}

/** Mail of a topic, or of a broadcast. */
function leavableOf({ topicId, broadcastId }: EmailToCompose): Leaving['leavable'] {
  return topicId === null && broadcastId === undefined ? null : { topic: topicId };
}

type Found = { email: EmailToCompose; passage: Passage | null };

/** More than any email has; PostgreSQL compares lengths with an integer of 32 bits. */
const anyBytes = 2 ** 31 - 1;

async function readEmail(
  { database, largeMails }: LeavingOptions,
  { account, emailId }: Delivery,
): Promise<Found | 'later' | null> {
  const found = await findEmailToCompose(database, account, emailId, largeMails.limits.largeMailBytesMin);
  if (typeof found !== 'number') return found && { email: found, passage: null };
  const passage = await largeMails.enter(found);
  if (!passage) return 'later';
  try {
    const email = await findEmailToCompose(database, account, emailId, anyBytes);
    if (email !== null && typeof email !== 'number') return { email, passage };
    passage.done();
    return null;
  } catch (error) {
    passage.done();
    throw error;
  }
}

/** What an older version accepted has no text part made yet: it is made once, so that every attempt sends the same. */
async function withText(
  { database, renderer }: LeavingOptions,
  { account }: Delivery,
  email: EmailToCompose,
): Promise<EmailToCompose> {
  if (email.madeText !== null || email.text !== null || email.html === null || email.raw) return email;
  const html = bufferOf(email.html).toString();
  const [madeText = null] = await makeTextParts(renderer.openLater(account), [{ html, text: null }]);
  if (madeText === null) return email;
  await database.write((tx) => keepMadeText(tx, email, madeText), { about: emailName({ account, emailId: email.id }) });
  return { ...email, madeText: Buffer.from(madeText) };
}

/** What an earlier attempt may have handed over is all that may leave. Null: it is not what this version makes. */
function boundTo({ boundTo }: Delivery, { whole, plain }: Made): Made | null {
  if (!boundTo) return { whole, plain };
  const isBound = (made: Composed | null): made is Composed =>
    made !== null && bufferOf(made.contentHash).equals(boundTo);
  if (isBound(whole)) return { whole, plain: null };
  return isBound(plain) ? { whole: plain, plain: null } : null;
}
