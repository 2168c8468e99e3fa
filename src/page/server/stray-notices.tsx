/** What came back and matched nothing: of no account, so that it is shown to whoever runs the server. */

import { AppError } from '../../core/error.ts';
import { findStrayBytes, listStrays, type Stray, type StrayReason } from '../../store/stray-notices.ts';
import { renderManaged } from '../frame/manage.tsx';
import { Empty, Pill, Time } from '../frame/pieces.tsx';
import type { Visit } from '../frame/visit.ts';
import { requireOperator } from './accounts.tsx';

/** As many as there can be would be a long page: `sendonce bounce list` has them all. */
const shown = 200;

export async function strayNotices(visit: Visit): Promise<Response> {
  requireOperator(visit);
  const listed = await listStrays(visit.parts.database, shown);
  return renderManaged(visit, {
    title: 'Unmatched notices',
    path: '/notices',
    lead: 'What came back and is about no mail that was sent from here: automatic answers, forged bounces, notices nobody could read. Kept for 30 days; it changes nothing.',
    content: (
      <>
        {listed.length === 0 && <Empty title="Nothing came back that matched nothing" />}
        {listed.length > 0 && (
          <section class="panel" aria-label="Unmatched notices">
            {listed.map((one) => (
              <StrayRow stray={one} />
            ))}
          </section>
        )}
      </>
    ),
  });
}

const words: Record<StrayReason, string> = {
  not_ours: 'not about a mail of ours',
  unreadable: 'not readable',
  nobody: 'names no recipient of its mail',
};

function StrayRow({ stray }: { stray: Stray & { id: number } }) {
  const { id, at, cameBy, why, recipient, sender, subject } = stray;
  return (
    <div class="row spread">
      <div>
        <b>{subject || '(no subject)'}</b> <Pill tone="muted">{words[why]}</Pill>{' '}
        <span class="muted small">
          <Time at={at} /> by {cameBy}, from {sender || 'nobody'}
          {recipient !== null && `, to ${recipient}`}
        </span>
      </div>
      <a class="button quiet" href={`/dashboard/notices/${id}`} aria-label={`Show ${subject || 'the notice'}`}>
        Show
      </a>
    </div>
  );
}

/** As text, whatever it is: a stranger wrote it. */
export async function strayNotice(visit: Visit): Promise<Response> {
  requireOperator(visit);
  const id = visit.context.req.param('id') ?? '';
  const bytes = /^\d{1,15}$/.test(id) ? await findStrayBytes(visit.parts.database, Number(id)) : null;
  if (!bytes) throw new AppError('not_found', 'This notice is not kept any more.');
  return renderManaged(visit, {
    title: 'Unmatched notice',
    path: '/notices',
    lead: 'As it came, up to its first 64 KiB.',
    content: (
      <pre class="panel wrap" tabindex={0}>
        {Buffer.from(bytes).toString('utf8')}
      </pre>
    ),
  });
}
