/** The head that the pages share on which an account's own things are managed. */

import type { Child } from 'hono/jsx';
import { firstAccount } from '../../core/account.ts';
import { renderPage } from './frame.tsx';
import { PageHead } from './pieces.tsx';
import type { Visit } from './visit.ts';

const places: [path: string, name: string, whose?: 'first account'][] = [
  ['/suppressions', 'Suppressions'],
  ['/domains', 'Domains'],
  ['/api-keys', 'API keys'],
  ['/templates', 'Templates'],
  ['/contacts', 'Contacts'],
  ['/broadcasts', 'Broadcasts'],
  ['/accounts', 'Accounts', 'first account'],
  ['/settings', 'Settings', 'first account'],
  ['/notices', 'Unmatched notices', 'first account'],
];

type Options = { title: string; path: string; status?: number; isLive?: boolean; lead: Child; content: Child };

export function renderManaged(
  visit: Visit,
  { title, path, status = 200, isLive = false, lead, content }: Options,
): Promise<Response> {
  const isFirst = visit.session.account === firstAccount;
  return renderPage(visit, {
    title,
    at: '/suppressions',
    status,
    isLive,
    content: (
      <>
        <PageHead title={title}>
          <nav aria-label="Manage">
            {places
              .filter(([, , whose]) => whose === undefined || isFirst)
              .map(([place, name]) => (
                <a href={`/dashboard${place}`} {...(place === path ? { 'aria-current': 'true' as const } : {})}>
                  {name}
                </a>
              ))}
          </nav>
          {typeof lead === 'string' ? <p class="muted">{lead}</p> : lead}
        </PageHead>
        {content}
      </>
    ),
  });
}
