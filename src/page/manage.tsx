/** The head that the pages share on which an account's own things are managed. */

import type { Child } from 'hono/jsx';
import { renderPage } from './frame.tsx';
import { PageHead } from './pieces.tsx';
import type { Visit } from './visit.ts';

const places: [path: string, name: string][] = [
  ['/suppressions', 'Suppressions'],
  ['/domains', 'Domains'],
  ['/api-keys', 'API keys'],
];

type Options = { title: string; path: string; status?: number; lead: Child; content: Child };

export function renderManaged(visit: Visit, { title, path, status = 200, lead, content }: Options): Promise<Response> {
  return renderPage(visit, {
    title,
    at: '/suppressions',
    status,
    content: (
      <>
        <PageHead title={title}>
          <nav aria-label="Manage">
            {places.map(([place, name]) => (
              <a href={`/dashboard${place}`} {...(place === path ? { 'aria-current': 'true' as const } : {})}>
                {name}
              </a>
            ))}
          </nav>
          <p class="muted">{lead}</p>
        </PageHead>
        {content}
      </>
    ),
  });
}
