/** Who is told of events, and telling somebody new. */

import { AppError } from '../../core/error.ts';
import { isUuid } from '../../core/token.ts';
import { listWebhooks, type Webhook } from '../../store/webhooks/webhooks.ts';
import { webhooksMax } from '../../use-cases/subscribe.ts';
import { renderPage } from '../frame/frame.tsx';
import { Empty, Notice, PageHead } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';
import { shownUrl } from './one-webhook.ts';
import { Standing } from './webhook.tsx';
import { type Draft, firstDraft, parseForm, type Wanted, WebhookForm } from './webhook-form.tsx';

export function webhooks(visit: Visit): Promise<Response> {
  return renderWebhooks(visit, firstDraft);
}

/** What is wrong with the form is said in it, and what was filled in stays. Sent twice, it makes one webhook: its key is the id. */
export async function createWebhook(visit: Visit): Promise<Response> {
  const { parts, session, form } = visit;
  const filled = { endpoint: (form.get('endpoint') ?? '').trim(), events: form.getAll('events') };
  const id = (form.get('key') ?? '').toLowerCase();
  if (!isUuid(id)) throw new AppError('invalid_field', 'This form is incomplete. Reload the page and try again.');
  const wanted = parseForm(parts.egress, filled);
  if ('problem' in wanted) return renderWebhooks(visit, { ...filled, ...wanted });
  const made = await parts.use.subscribe.make(session.account, { facade: 'resend', ...wanted, id });
  if (!made) return renderWebhooks(visit, { ...filled, problem: full });
  if (!isAsked(made, wanted)) throw new AppError('already_exists', sentBefore);
  return redirect(`/dashboard/webhooks/${made.id}?done=made`);
}

const full = `An account can have at most ${webhooksMax} webhooks.`;
const sentBefore = 'This form was already submitted with different values. Reload the page to add another webhook.';

/** False: what was made from this form before is not what it asks for now. */
function isAsked(made: Webhook, { url, events }: Wanted): boolean {
  return made.url === url && made.events.join() === events.names.join();
}

async function renderWebhooks(visit: Visit, draft: Draft): Promise<Response> {
  const { parts, session, query } = visit;
  const all = [];
  for (const { name, label } of parts.facades) {
    const webhooks = await listWebhooks(parts.database, session.account, name);
    all.push(...webhooks.map((webhook) => ({ webhook, label })));
  }
  return renderPage(visit, {
    title: 'Webhooks',
    at: '/webhooks',
    status: draft.problem === null ? 200 : 422,
    isLive: draft.problem === null,
    content: (
      <>
        <PageHead title="Webhooks" />
        {query.done === 'deleted' && <Notice tone="good">Deleted. It receives no more events.</Notice>}
        {all.length > 0 && (
          <section class="panel flush" aria-label="Endpoints">
            <ol class="rows">
              {all.map(({ webhook, label }) => (
                <li>
                  <a href={`/dashboard/webhooks/${webhook.id}`} data-row>
                    <span>{shownUrl(webhook)}</span>
                    <Standing of={webhook} />
                    <span class="muted">{webhook.events.join(', ')}</span>
                    <span class="muted small">{label}</span>
                  </a>
                </li>
              ))}
            </ol>
          </section>
        )}
        {all.length === 0 && <NoneYet />}
        <WebhookForm visit={visit} draft={draft} />
      </>
    ),
  });
}

function NoneYet() {
  return (
    <Empty title="No webhooks yet">
      <p>
        A webhook receives a signed request for each event, at least once; failed requests are retried for a day. Add
        one here, or through either API: <code>POST /webhooks</code>, <code>POST /v3/webhooks</code>.
      </p>
      <p>
        While you develop, <code>sendonce webhook listen</code> shows events in the terminal and forwards them to your
        app.
      </p>
    </Empty>
  );
}
