/** Taking "Send it again" back: what is sent again from the page waits a little, and the notice that says so has the button. */

import { AppError } from '../../core/error.ts';
import type { DeliveryRef } from '../../store/mail/deliveries.ts';
import { findWaiting } from '../../store/mail/doubt.ts';
import type { StoredEmail } from '../../store/mail/emails.ts';
import { listEvents } from '../../store/mail/events.ts';
import { Form, Time } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';
import { type From, idOf } from './held.tsx';

/** Long enough to read which mail it was and to reach for the button; whoever waits for a password reset hardly notices it. */
export const undoWaitMs = 10_000;

/** As the address of the page names an answer that may be taken back: `PART.ATTEMPT`. */
export function undoQuery(part: number, attempt: number): string {
  return `${part}.${attempt}`;
}

export function parseUndo(text: string | undefined): { part: number; attempt: number } | null {
  const [, part, attempt] = /^(\d{1,9})\.(\d{1,9})$/.exec(text ?? '') ?? [];
  return part === undefined ? null : { part: Number(part), attempt: Number(attempt) };
}

type Options = { visit: Visit; emailId: string; undo: { part: number; attempt: number }; from: From };

/** What became of it since, once it is too late. */
export async function SendsAgain({ visit, emailId, undo: { part, attempt }, from }: Options) {
  const { parts, session } = visit;
  const waiting = await findWaiting(parts.database, { account: session.account, emailId, part });
  if (waiting?.attempt !== attempt) return <>It is no longer waiting: its history says what became of it.</>;
  return (
    <>
      It is sent again at <Time at={waiting.runAt} />: the same message with the same Message-ID.
      <div class="row" data-hold>
        <Form visit={visit} action={`/dashboard/in-doubt/${idOf({ emailId, part })}/undo`}>
          <input type="hidden" name="attempt" value={String(attempt)} />
          <input type="hidden" name="from" value={from} />
          <button type="submit" class="button">
            Undo
          </button>
        </Form>
      </div>
    </>
  );
}

/** A new email that nobody has sent yet can be called off. */
export function UndoNew({ visit, email: { id, scheduledAt } }: { visit: Visit; email: StoredEmail }) {
  return (
    <div class="row" data-hold>
      {scheduledAt !== null && (
        <span>
          It is sent at <Time at={scheduledAt} />.
        </span>
      )}
      <Form visit={visit} action={`/dashboard/emails/${id}/cancel`}>
        <button type="submit" class="button">
          Undo
        </button>
      </Form>
    </div>
  );
}

/** @throws AppError where it has been claimed since, with what became of it. */
export async function takeBack(visit: Visit, ref: DeliveryRef, from: From): Promise<Response> {
  const text = visit.form.get('attempt') ?? '';
  if (!/^\d{1,9}$/.test(text)) throw new AppError('invalid_field', 'This form is incomplete. Reload the page.');
  const answered = await visit.parts.use.settleDoubt.takeBack(ref, Number(text));
  if (!answered.isSettled) throw await tooLateToUndo(visit, ref, answered.state);
  const path = from === 'email' ? `emails/${ref.emailId}?done=` : `in-doubt?email=${ref.emailId}&done=`;
  return redirect(`/dashboard/${path}undone`);
}

async function tooLateToUndo(
  { parts, session }: Visit,
  { emailId }: DeliveryRef,
  state: string | null,
): Promise<AppError> {
  switch (state) {
    case null:
      return new AppError('not_found', 'No email with this ID.');
    case 'in_doubt':
      return new AppError('invalid_field', 'It is in doubt again already. Nothing was changed.');
    case 'sending':
    case 'handoff':
      return new AppError('invalid_field', 'Too late: it is being sent again right now.');
    case 'queued':
      return new AppError('invalid_field', 'Too late: it has been tried since, and waits for its next attempt.');
    default: {
      const last = (await listEvents(parts.database, session.account, emailId)).at(-1);
      const at = last ? ` at ${new Date(last.at).toISOString().slice(0, 19).replace('T', ' ')} UTC` : '';
      const reply = last?.detail.reply ? ` ${last.detail.reply}` : '';
      return new AppError('invalid_field', `Too late: it became ${state}${at}.${reply}`);
    }
  }
}
