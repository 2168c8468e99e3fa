/** What a person reads when something did not work: what happened, whether anything was done, and where to go on. */

import { AppError, CommitUnknown } from '../../core/error.ts';
import type { HttpContext } from '../../http/call.ts';
import { requestIdOf } from '../../http/request-id.ts';
import { log } from '../../log.ts';
import { cameFrom } from './came-from.ts';
import { Brand, Document, htmlResponse, renderPage } from './frame.tsx';
import { PageHead } from './pieces.tsx';
import type { Theme, Visit } from './visit.ts';

export class Forbidden extends Error {
  override readonly name = 'Forbidden';
}

type Problem = {
  status: number;
  title: string;
  text: string;
  next: string;
  /** Something may have been done: the way back leads to where that shows, not to another try. */
  mayBeDone?: boolean;
};

type Way = [href: string, name: string];

/** What should not happen, and what nobody can find out, is in the log; what a person can mend is in the page only. */
export function noteProblem(error: unknown, context: HttpContext): void {
  const { incoming } = context.env;
  const { method = '', url = '' } = incoming;
  if (error instanceof CommitUnknown) log.commitNotFoundOut(error.cause);
  else if (!(error instanceof AppError || error instanceof Forbidden))
    log.requestFailed({ request: requestIdOf(incoming), method, path: url.split('?')[0] ?? '' }, error);
}

/** `visit`: of whoever is signed in; nobody else is shown the frame. */
export async function renderProblem(
  error: unknown,
  where: { context: HttpContext; visit: Visit | null; theme: Theme },
): Promise<Response> {
  const { context, visit, theme } = where;
  const isForm = context.env.incoming.method === 'POST';
  const problem = describe(error, isForm);
  const { title, status } = problem;
  if (visit) {
    const [at = ''] = /(?<=^\/dashboard)\/[^/]+/.exec(context.req.path) ?? [];
    return renderPage(visit, {
      title,
      at: at === '' ? 'nowhere' : at,
      status,
      content: (
        <>
          <PageHead title={title} />
          <section class="panel">
            <Explained problem={problem} ways={waysOn(problem, context)} request={requestIdOf(context.env.incoming)} />
          </section>
        </>
      ),
    });
  }
  // Nothing of the page opens for somebody who is not signed in; but who that is may be what could not be found out.
  const ways: Way[] = status >= 500 ? waysOn(problem, context) : [['/dashboard/sign-in', 'Sign in']];
  const body = (
    <Document title={title} theme={theme}>
      <main class="door" id="content">
        <Brand />
        <h1>{title}</h1>
        <Explained problem={problem} ways={ways} request={requestIdOf(context.env.incoming)} />
      </main>
    </Document>
  );
  return htmlResponse(body, status);
}

/** Where the log has more, it has it under the name of the request. */
function Explained({ problem, ways, request }: { problem: Problem; ways: Way[]; request: string }) {
  const { status, text, next } = problem;
  return (
    <>
      <p>{text}</p>
      <p class="muted">{next}</p>
      {status >= 500 && (
        <p class="muted small">
          Request ID in the log: <code>{request}</code>
        </p>
      )}
      <p class="row">
        {ways.map(([href, name], index) => (
          <a class={index === 0 ? 'button primary' : 'button'} href={href}>
            {name}
          </a>
        ))}
      </p>
    </>
  );
}

/** Back to the form that was sent, or once more to what could not be shown; and to what is always there. */
function waysOn({ status, mayBeDone = false }: Problem, context: HttpContext): Way[] {
  const isForm = context.env.incoming.method === 'POST';
  const back = isForm ? cameFrom(context) : null;
  const again = !isForm && status >= 500 ? (context.env.incoming.url ?? null) : null;
  return [
    ...(back ? [[back, mayBeDone ? 'Check where you were' : 'Back to the form'] as Way] : []),
    ...(again ? [[again, 'Try again'] as Way] : []),
    ['/dashboard', 'Overview'],
    ['/dashboard/emails', 'Emails'],
  ];
}

function describe(error: unknown, isForm: boolean): Problem {
  if (error instanceof Forbidden) {
    const next = 'Reload the page and submit the form again.';
    return { status: 403, title: 'Form rejected', text: error.message, next };
  }
  if (error instanceof CommitUnknown) {
    return {
      status: 500,
      title: 'We can’t tell whether this was saved',
      text: 'The connection to the database broke before it answered. The change may have been saved, or not.',
      next: 'Check before you try again.',
      mayBeDone: true,
    };
  }
  if (!(error instanceof AppError)) return broken(isForm);
  switch (error.code) {
    case 'not_found':
    case 'route_not_found':
      return {
        status: 404,
        title: 'Not found',
        text: error.message,
        next: 'Try searching by ID.',
      };
    case 'unavailable':
      return {
        status: 503,
        title: 'The database is not available right now',
        text: error.message,
        next: 'Try again in a moment. Accepted emails are safe.',
      };
    case 'too_large':
      return { status: 413, title: 'Too large', text: error.message, next: 'Go back and send less.' };
    default:
      return {
        status: 422,
        title: isForm ? 'Couldn’t save' : 'Not available',
        text: error.message,
        next: 'Nothing was changed.',
      };
  }
}

/** A form may have done its work, or a part of it, before this program stumbled; looking changes nothing. */
function broken(isForm: boolean): Problem {
  const why = 'If it happens again, look for “a request failed” in the log.';
  return {
    status: 500,
    title: 'Something went wrong',
    text: isForm
      ? 'The error is in the server’s log. We can’t tell whether anything was saved before it.'
      : 'The error is in the server’s log. Nothing was changed by this request.',
    next: isForm ? `Check before you try again. ${why}` : `Try again. ${why}`,
    mayBeDone: isForm,
  };
}
