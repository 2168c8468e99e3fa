/** Brevo's paths, under /v3 as their SDKs expect them (docs/brevo.md lists them all). */

import type { Hono } from 'hono';
import { AppError } from '../../core/error.ts';
import { answerWith, type Bindings, type Call, type Gatekeeper, type HttpContext, type Reply } from '../call.ts';
import { addRoutes, type Routes } from '../route-table.ts';
import { showAccount, showActivities } from './account.ts';
import * as blocked from './blocked-contacts.ts';
import * as blockedDomains from './blocked-domains.ts';
import * as contacts from './contacts.ts';
import * as domains from './domains.ts';
import * as emails from './emails.ts';
import { wording } from './errors.ts';
import * as lists from './lists.ts';
import { deleteLog, type LogParts } from './log.ts';
import * as reports from './reports.ts';
import { cancel, type ScheduledParts, status } from './scheduled.ts';
import { send } from './send.ts';
import * as senders from './senders.ts';
import { listEvents } from './statistics.ts';
import * as templates from './templates.ts';
import { downloadHistory, exportHistory, type HistoryParts, historyPath } from './webhook-history.ts';
import * as webhooks from './webhooks.ts';

export type BrevoParts = ScheduledParts &
  LogParts &
  blocked.BlockedParts &
  blockedDomains.BlockedDomainParts &
  senders.SenderParts &
  domains.DomainParts &
  contacts.ContactParts &
  lists.ListParts &
  templates.TemplateParts &
  HistoryParts &
  webhooks.WebhookParts;

export function addBrevoRoutes(app: Hono<Bindings>, gatekeeper: Gatekeeper, parts: BrevoParts): void {
  type Handle = (parts: BrevoParts, call: Call) => Promise<Reply>;
  const sending = (handle: Handle) => answerWith(gatekeeper, wording, 'sending', (call) => handle(parts, call));
  const full = (handle: Handle) => answerWith(gatekeeper, wording, 'full', (call) => handle(parts, call));
  /** Reads much, perhaps: for as long as somebody waits for it. */
  const reading = (handle: Handle) =>
    answerWith(gatekeeper, wording, 'full', (call) =>
      handle({ ...parts, database: call.reading(parts.database) }, call),
    );

  addRoutes(
    app,
    [
      ['/v3/smtp/email', { POST: sending(send) }],
      ['/v3/smtp/templates', { GET: reading(templates.list), POST: full(templates.create) }],
      [
        '/v3/smtp/templates/:id',
        { GET: full(templates.show), PUT: full(templates.update), DELETE: full(templates.remove) },
      ],
      ['/v3/smtp/templates/:id/sendTest', { POST: full(templates.sendTest) }],
      ['/v3/smtp/template/preview', { POST: full(templates.preview) }],
      ['/v3/smtp/email/:identifier', { DELETE: full(cancel) }],
      ['/v3/smtp/emailStatus/:identifier', { GET: reading(status) }],
      ['/v3/smtp/emails', { GET: reading(emails.list) }],
      ['/v3/smtp/emails/:uuid', { GET: full(emails.retrieve) }],
      ['/v3/smtp/log/:identifier', { DELETE: full(deleteLog) }],
      ['/v3/smtp/blockedContacts', { GET: full(blocked.list) }],
      ['/v3/smtp/blockedDomains', { GET: full(blockedDomains.list), POST: full(blockedDomains.block) }],
      ['/v3/smtp/blockedDomains/:domain', { DELETE: full(blockedDomains.unblock) }],
      ['/v3/smtp/blockedContacts/:email', { DELETE: full(blocked.unblock) }],
      ['/v3/smtp/deleteHardbounces', { POST: full(blocked.deleteBounces) }],
      ['/v3/smtp/statistics/events', { GET: reading(listEvents) }],
      ['/v3/smtp/statistics/aggregatedReport', { GET: reading(reports.aggregated) }],
      ['/v3/smtp/statistics/reports', { GET: reading(reports.daily) }],
      ['/v3/senders', { GET: full(senders.list), POST: full(senders.create) }],
      ['/v3/senders/domains', { GET: full(domains.list), POST: full(domains.create) }],
      ['/v3/senders/domains/:domain', { GET: full(domains.show), DELETE: full(domains.remove) }],
      ['/v3/senders/domains/:domain/authenticate', { PUT: full(domains.authenticate) }],
      ['/v3/senders/ips', { GET: full(senders.noIps) }],
      ['/v3/senders/:id', { PUT: full(senders.update), DELETE: full(senders.remove) }],
      ['/v3/senders/:id/ips', { GET: full(senders.noIpsOf) }],
      ['/v3/senders/:id/validate', { PUT: full(senders.validate) }],
      ...contactRoutes(full),
      ['/v3/webhooks', { GET: full(webhooks.list), POST: full(webhooks.create) }],
      ['/v3/webhooks/export', { POST: full(exportHistory) }],
      [historyPath, { GET: (context) => downloadHistory(parts, context) }],
      ['/v3/webhooks/:id', { GET: full(webhooks.show), PUT: full(webhooks.update), DELETE: full(webhooks.remove) }],
      ['/v3/account', { GET: full(showAccount) }],
      ['/v3/organization/activities', { GET: full(showActivities) }],
    ],
    { route: refuseRoute, method: refuseMethod },
  );
}

type Full = (handle: (parts: BrevoParts, call: Call) => Promise<Reply>) => NonNullable<Routes[number][1]['GET']>;

function contactRoutes(full: Full): Routes {
  const { list, create, show, update, remove } = contacts;
  return [
    ['/v3/contacts', { GET: full(list), POST: full(create) }],
    ['/v3/contacts/attributes', { GET: full(contacts.listAttributes) }],
    ['/v3/contacts/attributes/:category/:name', { POST: full(contacts.createAttribute) }],
    ['/v3/contacts/folders', { GET: full(lists.listAllFolders), POST: full(lists.createFolder) }],
    [
      '/v3/contacts/folders/:id',
      { GET: full(lists.showFolder), PUT: full(lists.updateFolder), DELETE: full(lists.removeFolder) },
    ],
    ['/v3/contacts/folders/:id/lists', { GET: full(lists.listInFolder) }],
    ['/v3/contacts/lists', { GET: full(lists.list), POST: full(lists.create) }],
    ['/v3/contacts/lists/:id', { GET: full(lists.show), PUT: full(lists.update), DELETE: full(lists.remove) }],
    ['/v3/contacts/lists/:id/contacts', { GET: full(contacts.listOf) }],
    ['/v3/contacts/lists/:id/contacts/add', { POST: full(lists.add) }],
    ['/v3/contacts/lists/:id/contacts/remove', { POST: full(lists.takeOut) }],
    // Not ours, and before `:identifier`, which they would be taken for.
    ...['batch', 'doubleOptinConfirmation', 'export', 'import', 'segments'].map((name): Routes[number] => [
      `/v3/contacts/${name}`,
      {},
    ]),
    ['/v3/contacts/:identifier', { GET: full(show), PUT: full(update), DELETE: full(remove) }],
  ];
}

function refuseRoute(): never {
  throw new AppError('route_not_found', 'The requested endpoint does not exist.');
}

function refuseMethod(context: HttpContext): never {
  const { method = '' } = context.env.incoming;
  throw new AppError('method_not_allowed', `${method} Method is not allowed on this path`);
}
