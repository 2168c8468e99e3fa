/** What a person reads when something did not work: what happened, whether anything was done, and where to go on. */

import { AppError } from '../../core/error.ts';
import type { HttpContext } from '../call.ts';
import { cameFrom } from './came-from.ts';
import { Brand, Document, htmlResponse, renderPage } from './frame.tsx';
import { PageHead } from './pieces.tsx';
import type { Theme, Visit } from './visit.ts';

export class Forbidden extends Error {
  override readonly name = 'Forbidden';
}

type Problem = { status: number; title: string; text: string; next: string };

type Way = [href: string, name: string];

/** `visit`: of whoever is signed in; nobody else is shown the frame. */
export async function renderProblem(
  error: unknown,
  where: { context: HttpContext; visit: Visit | null; theme: Theme },
): Promise<Response> {
  const problem = describe(error);
  const { title, status } = problem;
  const { context, visit, theme } = where;
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
            <Explained problem={problem} ways={waysOn(status, context)} />
          </section>
        </>
      ),
    });
  }
  const body = (
    <Document title={title} theme={theme}>
      <main class="door" id="content">
        <Brand />
        <h1>{title}</h1>
        <Explained problem={problem} ways={[['/dashboard/sign-in', 'Sign in']]} />
      </main>
    </Document>
  );
  return htmlResponse(body, status);
}

function Explained({ problem: { text, next }, ways }: { problem: Problem; ways: Way[] }) {
  return (
    <>
      <p>{text}</p>
      <p class="muted">{next}</p>
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
function waysOn(status: number, context: HttpContext): Way[] {
  const isForm = context.env.incoming.method === 'POST';
  const back = isForm ? cameFrom(context) : null;
  const again = !isForm && status >= 500 ? (context.env.incoming.url ?? null) : null;
  return [
    ...(back ? [[back, 'Back to the form'] as Way] : []),
    ...(again ? [[again, 'Try again'] as Way] : []),
    ['/dashboard', 'Overview'],
    ['/dashboard/emails', 'Emails'],
  ];
}

function describe(error: unknown): Problem {
  if (error instanceof Forbidden) {
    const next = 'Open the page anew and send the form from there.';
    return { status: 403, title: 'Not from this page', text: error.message, next };
  }
  if (!(error instanceof AppError)) {
    return {
      status: 500,
      title: 'Something is broken here',
      text: 'It is in the server’s log. Nothing was changed by this request.',
      next: 'Try it once more. If it stays, the log says why beside “a request failed”.',
    };
  }
  switch (error.code) {
    case 'not_found':
    case 'route_not_found':
      return {
        status: 404,
        title: 'Not here',
        text: error.message,
        next: 'Every email is found by its id in the search.',
      };
    case 'unavailable':
      return {
        status: 503,
        title: 'The database takes no requests right now',
        text: `${error.message} Nothing was changed.`,
        next: 'Try again in a moment. What was accepted is safe.',
      };
    case 'too_large':
      return { status: 413, title: 'Too large', text: error.message, next: 'Go back and send less.' };
    default:
      return { status: 422, title: 'That does not work', text: error.message, next: 'Nothing was changed.' };
  }
}
