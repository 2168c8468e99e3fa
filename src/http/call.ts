/** What every facade's handlers share: an authenticated, rate-limited call in, a reply out. */

import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { AppError } from '../core/error.ts';
import { type DatabaseReader, readerUntil } from '../store/database.ts';
import { ClientGone } from './arriving.ts';
import type { Auth, Caller } from './auth.ts';
import type { Bodies, Body } from './bodies.ts';
import { refuseCompressed } from './body.ts';
import type { Wording } from './facade.ts';
import { JsonShape, type ShapeLimits } from './json-shape.ts';
import type { RateLimit, RateState } from './rate-limit.ts';
import { readTraceparent, requestIdOf } from './request-id.ts';

export type Bindings = {
  Bindings: HttpBindings;
  /** Set once the caller was counted, and where a path knows other methods: refusals carry them, too. */
  Variables: { rateState?: RateState; allow?: string };
};
export type HttpContext = Context<Bindings>;

/** Without a body, as 204 has to be, there is no content type either. */
export type Reply = { status: number; body: string | null; headers?: Record<string, string> };

/** An authenticated request, read as far as a handler asks. */
export class Call {
  readonly caller: Caller;
  readonly #context: HttpContext;
  readonly #reading: Reading;
  #body: Body | null = null;
  #named: Readonly<Record<string, string>> = {};

  constructor(context: HttpContext, caller: Caller, reading: Reading) {
    this.#context = context;
    this.#reading = reading;
    this.caller = caller;
  }

  get rawHeaders(): string[] {
    return this.#context.env.incoming.rawHeaders;
  }

  get userAgent(): string | null {
    return this.header('user-agent') ?? null;
  }

  /** `Sendonce-Attempt`, which `sendonce/client` sends. */
  get attempt(): string | undefined {
    return this.header('sendonce-attempt');
  }

  header(name: string): string | undefined {
    return this.#context.env.incoming.headers[name] as string | undefined;
  }

  get requestId(): string {
    return requestIdOf(this.#context.env.incoming);
  }

  get traceparent(): string | null {
    return readTraceparent(this.header('traceparent'));
  }

  /** Decoded path parameter. */
  param(name: string): string {
    return this.#named[name] ?? this.#context.req.param(name) ?? '';
  }

  /** The same request, about something that other parameters of its path name. */
  about(named: Readonly<Record<string, string>>): Call {
    const call = new Call(this.#context, this.caller, this.#reading);
    call.#named = named;
    return call;
  }

  query(): Record<string, string> {
    return this.#context.req.query();
  }

  /** What is read for this request is not read on once its client has hung up. */
  reading(reader: DatabaseReader): DatabaseReader {
    return readerUntil(reader, goneSignal(this.#context));
  }

  /** The raw bytes, which look like JSON that may be parsed; to be read once. */
  async body(): Promise<Uint8Array> {
    refuseCompressed(this.header('content-encoding'));
    const { bodies, bodyBytesMax, shape } = this.#reading;
    const looked = new JsonShape(shape);
    this.#body = await bodies.read(this.#context.env.incoming, bodyBytesMax, (chunk) => looked.take(chunk));
    return this.#body.bytes;
  }

  /** Once it is answered. */
  end(): void {
    this.#body?.release();
  }
}

/** Aborted with ClientGone when the connection ends before the answer is whole. */
export function goneSignal(context: HttpContext): AbortSignal {
  const { outgoing } = context.env;
  const gone = new AbortController();
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) gone.abort(new ClientGone('the client hung up'));
  });
  return gone.signal;
}

/** How bodies are read. */
type Reading = { bodies: Bodies; bodyBytesMax: number; shape: ShapeLimits };

export type Gatekeeper = Reading & { auth: Auth; rateLimit: RateLimit };

export type Handler = (call: Call) => Promise<Reply>;

const json = 'application/json; charset=utf-8';

/** Authenticates, limits, and turns the handler's reply into a response. `sending` says what a sending key may do. */
export function answerWith(gatekeeper: Gatekeeper, wording: Wording, needs: 'sending' | 'full', handler: Handler) {
  return async (context: HttpContext): Promise<Response> => {
    const caller = await gatekeeper.auth(context.env.incoming);
    const rateState = gatekeeper.rateLimit(caller.account, caller.requestsPerSecond);
    if (rateState) context.set('rateState', rateState);
    if (needs === 'full' && caller.permission !== 'full_access') {
      throw new AppError('restricted_api_key', 'This API key is restricted to only send emails.');
    }
    const call = new Call(context, caller, gatekeeper);
    try {
      return toResponse(await handler(call), rateState && wording.limitHeaders(rateState));
    } finally {
      call.end();
    }
  };
}

const plainHeaders = { 'content-type': json };

export function toResponse(reply: Reply, more?: Record<string, string> | null): Response {
  const plain: Record<string, string> = reply.body === null ? {} : plainHeaders;
  const headers = more || reply.headers ? { ...plain, ...more, ...reply.headers } : plain;
  return new Response(reply.body, { status: reply.status, headers });
}
