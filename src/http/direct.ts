/**
 * Sends, and what else is posted to a path without parameters, are answered below the framework: what that makes of a request
 * and of an answer costs as much again as Node's own HTTP. Whatever is not quite as expected goes the framework's way.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { log } from '../log.ts';
import { refusalOf, wordingOf } from './app.ts';
import { type Answering, type Asked, plainType, type Reply, typeHeader } from './call.ts';
import type { Web } from './facade.ts';
import type { HostCheck } from './host.ts';
import type { RateState } from './rate-limit.ts';
import { requestIdHeader, requestIdOf } from './request-id.ts';

/** False: the request is somebody else's. */
export type Direct = (incoming: IncomingMessage, outgoing: ServerResponse) => boolean;

export type DirectOptions = { facades: readonly Web[]; findRefusal: HostCheck };

/** The framework refuses a host that is spelled otherwise, or missing. */
const plainHost = /^[\w.:[\]-]+$/;

/** How long what still comes of a body that nobody reads is thrown away, so that its client gets to read the answer. */
const drainMs = 500;

/** `routes`: what posts to which path are answered with. */
export function createDirect(routes: ReadonlyMap<string, Answering>, options: DirectOptions): Direct {
  // It is the framework that logs them.
  if (log.showsRequests()) return () => false;
  return (incoming, outgoing) => {
    const answering = incoming.method === 'POST' ? routes.get(incoming.url ?? '') : undefined;
    if (!answering || !plainHost.test(incoming.headers.host ?? '')) return false;
    answer(answering, { incoming, outgoing }, options).catch(() => outgoing.destroy());
    return true;
  };
}

type Exchange = { incoming: IncomingMessage; outgoing: ServerResponse };

async function answer(answering: Answering, exchange: Exchange, options: DirectOptions): Promise<void> {
  const { incoming, outgoing } = exchange;
  const reply = await replyTo(answering, exchange, options);
  if (outgoing.destroyed || incoming.socket.destroyed) return;
  write(outgoing, requestIdOf(incoming), reply);
  if (!incoming.readableEnded) outgoing.once('finish', () => drain(incoming));
}

async function replyTo(answering: Answering, exchange: Exchange, { facades, findRefusal }: DirectOptions) {
  const { incoming } = exchange;
  const path = incoming.url ?? '';
  const asked = new DirectAsked(exchange);
  try {
    const refusal = findRefusal(incoming);
    if (refusal) return wordingOf(facades, path).renderError(refusal);
    return await answering(asked);
  } catch (error) {
    return refusalOf(facades, error as Error, { incoming, path, pattern: () => path, rateState: asked.rateState });
  }
}

/** A path without parameters, and no query: a request with one is the framework's. */
class DirectAsked implements Asked {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  rateState: RateState | undefined = undefined;

  constructor({ incoming, outgoing }: Exchange) {
    this.incoming = incoming;
    this.outgoing = outgoing;
  }

  param(): undefined {}

  query(): Record<string, string> {
    return {};
  }

  counted(state: RateState): void {
    this.rateState = state;
  }
}

/** All of the head in one list, which Node writes as it is. */
function write(outgoing: ServerResponse, requestId: string, reply: Reply): void {
  const { status, body, headers = {} } = reply;
  const head = [requestIdHeader, requestId];
  if (body !== null && headers[typeHeader] === undefined) head.push(typeHeader, plainType);
  for (const name in headers) head.push(name, headers[name] ?? '');
  if (body !== null) head.push('Content-Length', String(Buffer.byteLength(body)));
  outgoing.writeHead(status, head);
  outgoing.end(body ?? undefined);
}

function drain(incoming: IncomingMessage): void {
  if (incoming.readableEnded) return;
  const { socket } = incoming;
  const timer = setTimeout(() => socket.destroySoon(), drainMs);
  incoming.once('close', () => clearTimeout(timer));
  incoming.resume();
}
