/** All routes of the server, and the one place where a refusal becomes a response. */

import { Hono } from 'hono';
import { AppError, CommitUnknown } from '../core/error.ts';
import { log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { addDashboardRoutes } from '../page/routes.tsx';
import type { DashboardParts } from '../page/visit.ts';
import type { Database } from '../store/database.ts';
import { findAttachmentContent } from '../store/mail/emails.ts';
import { type AttachmentLinks, downloadPath } from './attachment-links.ts';
import { ClientGone } from './body.ts';
import { brevo } from './brevo/errors.ts';
import { addBrevoRoutes, type BrevoParts, brevoPath } from './brevo/routes.ts';
import { type Bindings, type Gatekeeper, type HttpContext, toResponse } from './call.ts';
import type { Facade } from './facade.ts';
import { keyPath } from './idempotency-keys.ts';
import { addOwnRoutes, type OwnParts } from './own-routes.ts';
import { RateLimited } from './rate-limit.ts';
import { resend } from './resend/errors.ts';
import { addResendRoutes, type ResendParts } from './resend/routes.ts';

export type Health = () => Promise<{ status: 'ok' | 'unavailable' } & Record<string, unknown>>;

export type AppParts = OwnParts & {
  gatekeeper: Gatekeeper;
  resend: ResendParts;
  brevo: BrevoParts;
  database: Database;
  links: AttachmentLinks;
  metrics: Metrics;
  health: Health;
  dashboard: DashboardParts;
  /** False for `ROLE=worker`: only health and metrics are served then. */
  servesApi: boolean;
};

export function createApp(parts: AppParts): Hono<Bindings> {
  const app = new Hono<Bindings>();
  app.onError(refuse);
  app.notFound((context) => refuse(new AppError('route_not_found', nowhere(context.req.path)), context));
  app.get('/healthz', async (context) => {
    const health = await parts.health();
    return context.json(health, health.status === 'ok' ? 200 : 503);
  });
  app.get('/metrics', async (context) =>
    context.body(await parts.metrics.render(), 200, { 'content-type': parts.metrics.contentType }),
  );
  if (parts.servesApi) addApiRoutes(app, parts);
  return app;
}

/** Brevo's SDKs want a base URL that ends in /v3, and the mistake is easily made. */
function nowhere(path: string): string {
  const what = 'The requested endpoint does not exist.';
  return path.startsWith('/smtp/') ? `${what} Brevo's API is below ${brevoPath}: ${brevoPath}${path}` : what;
}

function addApiRoutes(app: Hono<Bindings>, parts: AppParts): void {
  if (log.showsRequests()) app.use('*', logRequest);
  app.get(downloadPath, (context) => download(parts, context));
  addOwnRoutes(app, parts.gatekeeper, parts);
  addResendRoutes(app, parts.gatekeeper, parts.resend);
  addBrevoRoutes(app, parts.gatekeeper, parts.brevo);
  addDashboardRoutes(app, parts.dashboard);
}

/** Paths only, and never a key: those carry user ids. */
function loggable(path: string): string {
  return path.startsWith(keyPath) ? `${keyPath}…` : path;
}

async function logRequest(context: HttpContext, next: () => Promise<void>): Promise<void> {
  const started = performance.now();
  await next();
  const { method } = context.env.incoming;
  log.request(method ?? '', loggable(context.req.path), context.res.status, performance.now() - started);
}

/** Refusals in the facade's own shape; what should not happen is logged and never shown. */
function refuse(error: Error, context: HttpContext): Response {
  const { method = '', url = '' } = context.env.incoming;
  if (error instanceof CommitUnknown) log.commitNotFoundOut(error.cause);
  // No status would be true, and a client that gets none asks again under the same key.
  if (error instanceof ClientGone || error instanceof CommitUnknown) {
    context.env.incoming.socket.destroy();
    return new Response(null, { status: 400 });
  }
  const refusal =
    error instanceof AppError ? error : new AppError('internal', 'An unexpected error occurred.', { cause: error });
  if (refusal.code === 'internal') log.requestFailed(method, loggable(url.split('?')[0] ?? ''), error);
  if (refusal.code === 'unavailable') log.unavailable(error);
  const facade = facadeOf(context.req.path);
  const rateState = error instanceof RateLimited ? error.state : context.get('rateState');
  const limitHeaders = rateState ? facade.limitHeaders(rateState) : {};
  // What is left of an oversized body would be taken for the next request's.
  const closing: Record<string, string> = refusal.code === 'too_large' ? { connection: 'close' } : {};
  return toResponse(facade.renderError(refusal), { ...limitHeaders, ...closing });
}

/** Whoever asks below Brevo's path reads Brevo's errors; everybody else gets Resend's, our own routes included. */
function facadeOf(path: string): Facade {
  return path === brevoPath || path.startsWith(`${brevoPath}/`) ? brevo : resend;
}

async function download(parts: AppParts, context: HttpContext): Promise<Response> {
  const ref = parts.links.open(context.req.query());
  const found = ref && (await findAttachmentContent(parts.database, ref.account, ref.email, ref.attachment));
  if (!found) throw new AppError('not_found', 'This link has expired: ask for the attachment again to get a new one.');
  return new Response(Buffer.from(found.content), {
    status: 200,
    headers: {
      // Without parameters, which may hold what a header cannot.
      'content-type': found.contentType.split(';')[0]?.trim() || 'application/octet-stream',
      // Somebody else's file on our origin: never rendered, never sniffed.
      'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(found.filename)}`,
      'content-security-policy': "sandbox; default-src 'none'",
      'x-content-type-options': 'nosniff',
    },
  });
}
