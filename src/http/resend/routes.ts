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

  app.post('/emails', sending(sendOne));
  app.get('/emails', full(list));
  app.post('/emails/batch', sending(sendBatch));
  // Before `:id`, which these words would be taken for.
  app.all('/emails/batch', refuseMethod);
  app.all('/emails/metrics', refuseRoute);
  app.all('/emails/receiving', refuseRoute);
  app.get('/emails/:id', full(retrieve));
  app.patch('/emails/:id', full(reschedule));
  app.post('/emails/:id/cancel', full(cancel));
  app.get('/emails/:id/attachments', full(attachments));
  app.get('/emails/:id/attachments/:attachment', full(attachment));
  for (const path of [
    '/emails',
    '/emails/:id',
    '/emails/:id/cancel',
    '/emails/:id/attachments',
    '/emails/:id/attachments/:attachment',
  ]) {
    app.all(path, refuseMethod);
  }
}

function refuseRoute(): never {
  throw new AppError('route_not_found', MESSAGES.routeNotFound);
}

function refuseMethod(): never {
  throw new AppError('method_not_allowed', MESSAGES.methodNotAllowed);
}
