/** Resend's paths, at the root as their SDKs expect them (docs/resend.md lists them all). */

import type { Hono } from 'hono';
import { AppError } from '../../core/error.ts';
import { answerWith, type Bindings, type Call, type Gatekeeper, type Reply } from '../call.ts';
import { attachment, attachments, cancel, type EmailParts, list, reschedule, retrieve } from './emails.ts';
import { MESSAGES } from './errors.ts';
import { type SendParts, sendBatch, sendOne } from './send.ts';

export function addResendRoutes(app: Hono<Bindings>, gatekeeper: Gatekeeper, parts: SendParts & EmailParts): void {
  const sending = (handle: (parts: SendParts & EmailParts, call: Call) => Promise<Reply>) =>
    answerWith(gatekeeper, 'sending', (call) => handle(parts, call));
  const full = (handle: (parts: SendParts & EmailParts, call: Call) => Promise<Reply>) =>
    answerWith(gatekeeper, 'full', (call) => handle(parts, call));

  const routes: [path: string, handlers: Partial<Record<Method, ReturnType<typeof full>>>][] = [
    ['/emails', { POST: sending(sendOne), GET: full(list) }],
    ['/emails/batch', { POST: sending(sendBatch) }],
    // Not ours, and before `:id`, which they would be taken for.
    ['/emails/metrics', {}],
    ['/emails/receiving', {}],
    ['/emails/:id', { GET: full(retrieve), PATCH: full(reschedule) }],
    ['/emails/:id/cancel', { POST: full(cancel) }],
    ['/emails/:id/attachments', { GET: full(attachments) }],
    ['/emails/:id/attachments/:attachment', { GET: full(attachment) }],
  ];
  for (const [path, handlers] of routes) {
    const refuse = Object.keys(handlers).length === 0 ? refuseRoute : refuseMethod;
    for (const method of methods) app.on(method, path, handlers[method] ?? refuse);
  }
}

/** One handler for each method of a path: a catch-all beside it would cost every request hono's shortest way. */
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
type Method = (typeof methods)[number];

function refuseRoute(): never {
  throw new AppError('route_not_found', MESSAGES.routeNotFound);
}

function refuseMethod(): never {
  throw new AppError('method_not_allowed', MESSAGES.methodNotAllowed);
}
