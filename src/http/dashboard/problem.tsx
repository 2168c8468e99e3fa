/** What a person reads when something did not work: what happened, whether anything was done, and where to go. */

import { AppError } from '../../core/error.ts';
import { Brand, Document, htmlResponse } from './frame.tsx';
import type { Theme } from './visit.ts';

export class Forbidden extends Error {
  override readonly name = 'Forbidden';
}

type Problem = { status: number; title: string; text: string };

export async function renderProblem(error: unknown, theme: Theme): Promise<Response> {
  const { status, title, text } = describe(error);
  const body = (
    <Document title={title} theme={theme}>
      <main class="door" id="content">
        <Brand />
        <h1>{title}</h1>
        <p>{text}</p>
        <p>
          <a class="button primary" href="/dashboard">
            Overview
          </a>
        </p>
      </main>
    </Document>
  );
  return htmlResponse(body, status);
}

function describe(error: unknown): Problem {
  if (error instanceof Forbidden) return { status: 403, title: 'Not from this page', text: error.message };
  if (!(error instanceof AppError)) {
    return {
      status: 500,
      title: 'Something is broken here',
      text: 'It is in the server’s log. Nothing was changed by this request.',
    };
  }
  switch (error.code) {
    case 'not_found':
    case 'route_not_found':
      return { status: 404, title: 'Not here', text: error.message };
    case 'unavailable':
      return {
        status: 503,
        title: 'The database takes no requests right now',
        text: `${error.message} Nothing was changed. Try again in a moment.`,
      };
    case 'too_large':
      return { status: 413, title: 'Too large', text: error.message };
    default:
      return { status: 422, title: 'That does not work', text: error.message };
  }
}
