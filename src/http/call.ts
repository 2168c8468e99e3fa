/** What every facade's handlers share: an authenticated, rate-limited call in, a reply out. */

import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { AppError } from '../core/error.ts';
import type { Auth, Caller } from './auth.ts';
import { readBody } from './body.ts';
import type { RateLimit } from './rate-limit.ts';

export type Bindings = {
  Bindings: HttpBindings;
  /** Set once the caller was counted: refusals carry them, too. */
  Variables: { limitHeaders?: Record<string, string> };
};
export type HttpContext = Context<Bindings>;

export type Reply = { status: number; body: string; headers?: Record<string, string> };

export type Call = {
  caller: Caller;
  rawHeaders: string[];
  userAgent: string | null;
  header(name: string): string | undefined;
  /** Decoded path parameter. */
  param(name: string): string;
  query(): Record<string, string>;
  /** The raw bytes, read on first use. */
  body(): Promise<Uint8Array>;
};

export type Gatekeeper = { auth: Auth; rateLimit: RateLimit; bodyBytesMax: number };

export type Handler = (call: Call) => Promise<Reply>;

const json = 'application/json; charset=utf-8';

/** Authenticates, limits, and turns the handler's reply into a response. `sending` says what a sending key may do. */
export function answerWith(gatekeeper: Gatekeeper, needs: 'sending' | 'full', handler: Handler) {
  return async (context: HttpContext): Promise<Response> => {
    const { incoming } = context.env;
    const caller = await gatekeeper.auth(incoming.headers as Parameters<Auth>[0]);
    const limitHeaders = gatekeeper.rateLimit(caller.account);
    context.set('limitHeaders', limitHeaders);
    if (needs === 'full' && caller.permission !== 'full_access') {
      throw new AppError('restricted_api_key', 'This API key is restricted to only send emails.');
    }
    const reply = await handler({
      caller,
      rawHeaders: incoming.rawHeaders,
      userAgent: incoming.headers['user-agent'] ?? null,
      header: (name) => incoming.headers[name] as string | undefined,
      param: (name) => context.req.param(name) ?? '',
      query: () => context.req.query(),
      body: () => readBody(incoming, gatekeeper.bodyBytesMax),
    });
    return toResponse(reply, limitHeaders);
  };
}

export function toResponse(reply: Reply, more: Record<string, string> = {}): Response {
  return new Response(reply.body, {
    status: reply.status,
    headers: { 'content-type': json, ...more, ...reply.headers },
  });
}
