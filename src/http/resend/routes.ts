/** Resend's paths, at the root as their SDKs expect them (docs/resend.md lists them all). */

import type { Hono } from 'hono';
import { answerWith, type Bindings, type Call, type Gatekeeper, type Reply } from '../call.ts';
import { addRoutes } from '../route-table.ts';
import { type ApiKeyParts, changeApiKey, createApiKey, removeApiKey, showApiKeys } from './api-keys.ts';
import { type ContactRouteParts, contactRoutes } from './contact-routes.ts';
import {
  changeDomain,
  createDomain,
  type DomainParts,
  removeDomain,
  showDomain,
  showDomains,
  verifyDomain,
} from './domains.ts';
import { attachment, attachments, cancel, type EmailParts, events, list, reschedule, retrieve } from './emails.ts';
import { refusals, wording } from './errors.ts';
import { type LogParts, showLog, showLogs } from './logs.ts';
import { type MetricParts, showMetrics } from './metrics.ts';
import { listReceived, listReceivedFiles, type ReceivingParts, showReceived, showReceivedFile } from './receiving.ts';
import { type SendParts, sendBatch, sendOne } from './send.ts';
import { type ShareParts, share } from './share.ts';
import {
  addSuppression,
  addSuppressions,
  removeSuppression,
  removeSuppressions,
  type SuppressionParts,
  showSuppression,
  showSuppressions,
} from './suppressions.ts';
import {
  changeTemplate,
  createTemplate,
  duplicateTemplate,
  publishTemplate,
  removeTemplate,
  showTemplate,
  showTemplates,
  type TemplateParts,
} from './templates.ts';
import {
  replayWebhook,
  replayWebhookEvent,
  showWebhookAttempts,
  showWebhookEvent,
  showWebhookEvents,
} from './webhook-events.ts';
import {
  changeWebhook,
  createWebhook,
  removeWebhook,
  rotateWebhook,
  showWebhook,
  showWebhooks,
  type WebhookParts,
} from './webhooks.ts';

export type ResendParts = SendParts &
  EmailParts &
  ReceivingParts &
  SuppressionParts &
  WebhookParts &
  ApiKeyParts &
  DomainParts &
  TemplateParts &
  ContactRouteParts &
  ShareParts &
  LogParts &
  MetricParts;

export function addResendRoutes(app: Hono<Bindings>, gatekeeper: Gatekeeper, parts: ResendParts): void {
  type Handle = (parts: ResendParts, call: Call) => Promise<Reply>;
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
      ['/emails', { POST: sending(sendOne), GET: full(list) }],
      // Where SDKs of the first months post to.
      ['/email', { POST: sending(sendOne) }],
      ['/emails/batch', { POST: sending(sendBatch) }],
      // Before `:id`, which they would be taken for.
      ['/emails/metrics', { GET: reading(showMetrics) }],
      ['/emails/receiving', { GET: full(listReceived) }],
      ['/emails/receiving/:id', { GET: full(showReceived) }],
      ['/emails/receiving/:id/attachments', { GET: full(listReceivedFiles) }],
      ['/emails/receiving/:id/attachments/:attachment', { GET: full(showReceivedFile) }],
      ['/emails/:id', { GET: full(retrieve), PATCH: full(reschedule) }],
      ['/emails/:id/share', { POST: full(share) }],
      ['/emails/:id/cancel', { POST: full(cancel) }],
      ['/emails/:id/events', { GET: full(events) }],
      ['/emails/:id/attachments', { GET: full(attachments) }],
      ['/emails/:id/attachments/:attachment', { GET: full(attachment) }],
      ['/suppressions', { POST: full(addSuppression), GET: full(showSuppressions) }],
      ['/suppressions/batch/add', { POST: full(addSuppressions) }],
      ['/suppressions/batch/remove', { POST: full(removeSuppressions) }],
      ['/suppressions/:suppression', { GET: full(showSuppression), DELETE: full(removeSuppression) }],
      ['/api-keys', { POST: full(createApiKey), GET: full(showApiKeys) }],
      ['/api-keys/:id', { PATCH: full(changeApiKey), DELETE: full(removeApiKey) }],
      ['/domains', { POST: full(createDomain), GET: full(showDomains) }],
      // Not ours, and before `:id`, which it would be taken for.
      ['/domains/claim', {}],
      ['/domains/:id', { GET: full(showDomain), PATCH: full(changeDomain), DELETE: full(removeDomain) }],
      ['/domains/:id/verify', { POST: full(verifyDomain) }],
      ['/templates', { POST: full(createTemplate), GET: full(showTemplates) }],
      ['/templates/:id', { GET: full(showTemplate), PATCH: full(changeTemplate), DELETE: full(removeTemplate) }],
      ['/templates/:id/publish', { POST: full(publishTemplate) }],
      ['/templates/:id/duplicate', { POST: full(duplicateTemplate) }],
      ...contactRoutes((handle) => full(handle)),
      ['/logs', { GET: full(showLogs) }],
      ['/logs/:id', { GET: full(showLog) }],
      ['/webhooks', { POST: full(createWebhook), GET: full(showWebhooks) }],
      ['/webhooks/:id', { GET: full(showWebhook), PATCH: full(changeWebhook), DELETE: full(removeWebhook) }],
      ['/webhooks/:id/signing-secret/rotate', { POST: full(rotateWebhook) }],
      ['/webhooks/:id/replay', { POST: full(replayWebhook) }],
      ['/webhooks/:id/events', { GET: full(showWebhookEvents) }],
      ['/webhooks/:id/events/:event', { GET: full(showWebhookEvent) }],
      ['/webhooks/:id/events/:event/attempts', { GET: full(showWebhookAttempts) }],
      ['/webhooks/:id/events/:event/replay', { POST: full(replayWebhookEvent) }],
    ],
    refusals,
  );
}
