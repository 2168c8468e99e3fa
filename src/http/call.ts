/** What every facade's handlers share: an authenticated, rate-limited call in, a reply out. */

import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { AppError } from '../core/error.ts';
import { type DatabaseReader, readerUntil } from '../store/database.ts';
import type { RequestLog } from '../store/request-logs.ts';
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

/** A request as its handler sees it, whoever found the handler. */
export type Asked = {
  incoming: HttpBindings['incoming'];
  outgoing: HttpBindings['outgoing'];
  /** Decoded parameters of its path. */
  param(name: string): string | undefined;
  query(): Record<string, string>;
  /** Told once the caller was counted. */
  counted(state: RateState): void;
};

/** Without a body, as 204 has to be, there is no content type either. */
export type Reply = { status: number; body: string | null; headers?: Record<string, string> };

/** An authenticated request, read as far as a handler asks. */
export class Call {
  readonly caller: Caller;
  readonly #asked: Asked;
  readonly #reading: Reading;
  #body: Body | null = null;
  #named: Readonly<Record<string, string>> = {};

  constructor(asked: Asked, caller: Caller, reading: Reading) {
    this.#asked = asked;
    this.#reading = reading;
    this.caller = caller;
  }

  get rawHeaders(): string[] {
    return this.#asked.incoming.rawHeaders;
  }

  get userAgent(): string | null {
    return this.header('user-agent') ?? null;
  }

  /** `Sendonce-Attempt`, which `sendonce/client` sends. */
  get attempt(): string | undefined {
    return this.header('sendonce-attempt');
  }

  header(name: string): string | undefined {
    return this.#asked.incoming.headers[name] as string | undefined;
  }

  get requestId(): string {
    return requestIdOf(this.#asked.incoming);
  }

  get traceparent(): string | null {
    return readTraceparent(this.header('traceparent'));
  }

  /** Decoded path parameter. */
  param(name: string): string {
    return this.#named[name] ?? this.#asked.param(name) ?? '';
  }

  /** The same request, about something that other parameters of its path name. */
  about(named: Readonly<Record<string, string>>): Call {
    const call = new Call(this.#asked, this.caller, this.#reading);
    call.#named = named;
    return call;
  }

  query(): Record<string, string> {
    return this.#asked.query();
  }

  /** What is read for this request is not read on once its client has hung up. */
  reading(reader: DatabaseReader): DatabaseReader {
    return readerUntil(reader, goneSignal(this.#asked));
  }

  /** The raw bytes, which look like JSON that may be parsed; to be read once. */
  async body(): Promise<Uint8Array> {
    refuseCompressed(this.header('content-encoding'));
    const { bodies, bodyBytesMax, shape } = this.#reading;
    const looked = new JsonShape(shape);
    this.#body = await bodies.read(this.#asked.incoming, bodyBytesMax, (chunk) => looked.take(chunk));
    return this.#body.bytes;
  }

  /** Once it is answered. */
  end(): void {
    this.#body?.release();
  }
}

/** Aborted with ClientGone when the connection ends before the answer is whole. */
export function goneSignal({ outgoing }: Pick<Asked, 'outgoing'>): AbortSignal {
  const gone = new AbortController();
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) gone.abort(new ClientGone('the client hung up'));
  });
  return gone.signal;
}

/** How bodies are read. */
type Reading = { bodies: Bodies; bodyBytesMax: number; shape: ShapeLimits };

export type Gatekeeper = Reading & {
  auth: Auth;
  rateLimit: RateLimit;
  /** Told each request of an account once it is answered. */
  onAnswered: (request: Omit<RequestLog, 'id' | 'at'>) => void;
};

export type Handler = (call: Call) => Promise<Reply>;

export const typeHeader = 'content-type';
/** Where a reply with a body names no other. */
export const plainType = 'application/json; charset=utf-8';

/** Authenticates and limits, and says what is answered. */
export type Answering = (asked: Asked) => Promise<Reply>;

/** A handler as hono takes it; `answering` is the same for a door that needs no framework. */
export type Answer = ((context: HttpContext) => Promise<Response>) & { answering: Answering };

/** `sending` says what a sending key may do. */
export function answerWith(
  gatekeeper: Gatekeeper,
  wording: Wording,
  needs: 'sending' | 'full',
  handler: Handler,
): Answer {
  const answering = async (asked: Asked): Promise<Reply> => {
    const caller = await gatekeeper.auth(asked.incoming);
    noteAnswer(asked, caller, gatekeeper);
    const rateState = gatekeeper.rateLimit(caller.account, caller.requestsPerSecond);
    if (rateState) asked.counted(rateState);
    if (needs === 'full' && caller.permission !== 'full_access') {
      throw new AppError('restricted_api_key', 'This API key is restricted to only send emails.');
    }
    const call = new Call(asked, caller, gatekeeper);
    try {
      const reply = await handler(call);
      return rateState ? { ...reply, headers: { ...wording.limitHeaders(rateState), ...reply.headers } } : reply;
    } finally {
      call.end();
    }
  };
  const answer = async (context: HttpContext) => toResponse(await answering(askedOf(context)));
  return Object.assign(answer, { answering });
}

function askedOf(context: HttpContext): Asked {
  const { incoming, outgoing } = context.env;
  return {
    incoming,
    outgoing,
    param: (name) => context.req.param(name),
    query: () => context.req.query(),
    counted: (state) => context.set('rateState', state),
  };
}

/** What stands in the place of an address says nothing about a person. */
const addressed = /[^/]*(?:@|%40)[^/]*/gi;
const mayBeAddressed = /@|%40/;

function endpointOf(url: string): string {
  return (url.split('?')[0] ?? '').replace(addressed, ':address');
}

function noteAnswer({ incoming, outgoing }: Asked, { account }: Caller, { onAnswered }: Gatekeeper): void {
  outgoing.on('finish', () => {
    const { method = '', headers, url = '' } = incoming;
    const endpoint = url.includes('?') || mayBeAddressed.test(url) ? endpointOf(url) : url;
    const userAgent = headers['user-agent'] ?? null;
    onAnswered({ account, method, endpoint, status: outgoing.statusCode, userAgent });
  });
}

const plainHeaders = { [typeHeader]: plainType };

export function toResponse(reply: Reply): Response {
  return new Response(reply.body, { status: reply.status, headers: headersOf(reply) });
}

function headersOf({ body, headers }: Reply): Record<string, string> {
  const plain: Record<string, string> = body === null ? {} : plainHeaders;
  return headers ? { ...plain, ...headers } : plain;
}
