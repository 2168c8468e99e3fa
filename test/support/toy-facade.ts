/** A third facade, small and honest: one record, and nothing else of the server knows it. */

import { AppError } from '../../src/core/error.ts';
import { parseJson } from '../../src/http/body.ts';
import { answerWith, type Call, type Reply } from '../../src/http/call.ts';
import type { HttpFacade, Wording } from '../../src/http/facade.ts';
import type { FacadeParts } from '../../src/http/facades.ts';
import { addRoutes } from '../../src/http/route-table.ts';
import type { Outcome } from '../../src/use-cases/accept.ts';
import { type Endpoint, requestTo, type SendRequest, type Submission } from '../../src/use-cases/submission.ts';
import { ownHeaders } from '../../src/webhook/request.ts';

/** What a client of the toy sends; after `until` (epoch milliseconds) it is refused. */
export type ToyNote = { to: string; words: string; until?: number };

export const toyKeyLifetimeMs = 5 * 60_000;

const endpoint: Endpoint = {
  facade: 'toy',
  name: 'POST /toy/notes',
  keyTerms: { lifetimeMs: toyKeyLifetimeMs, followsSchedule: false },
  differences: async ([stored], { json }) => ((await stored?.isBody('text', (json as ToyNote).words)) ? [] : ['words']),
};

const wording: Wording = {
  renderError: (error) => ({ status: 418, body: JSON.stringify({ oops: error.code, ...error.extra }) }),
  limitHeaders: ({ remaining }) => ({ 'toy-left': String(remaining) }),
};

export const toy: HttpFacade<FacadeParts> = {
  name: 'toy',
  label: 'Toy',
  through: 'the Toy API',
  path: '/toy',
  endpoints: [endpoint],
  wording,
  webhooks: {
    label: 'Toy’s, in a word',
    isSigned: false,
    request: ({ url }, tellings) => ({
      url,
      headers: ownHeaders,
      body: JSON.stringify(tellings.map(({ told }) => `${told.event.type}!`)),
    }),
  },
  addRoutes: (app, gatekeeper, parts) => {
    const sending = (handle: typeof send) =>
      answerWith(gatekeeper, wording, 'sending', async (call) => toReply(await handle(parts, await open(call))));
    const refuse = (): never => {
      throw new AppError('route_not_found', 'No such toy.');
    };
    addRoutes(
      app,
      [
        ['/toy/notes', { POST: sending(send) }],
        ['/toy/hasty-notes', { POST: sending(sendHastily) }],
        ['/toy/ears', { POST: answerWith(gatekeeper, wording, 'full', (call) => listen(parts, call)) }],
      ],
      { route: refuse, method: refuse },
    );
  },
};

/** Whoever listens is told of each mail that was sent. */
async function listen({ subscribe }: FacadeParts, call: Call): Promise<Reply> {
  const { url } = parseJson(await call.body()) as { url: string };
  const events = { names: ['sent'], subjects: ['sent' as const], perRecipient: false };
  const made = await subscribe.make(call.caller.account, { facade: 'toy', url, events });
  return { status: 201, body: JSON.stringify({ ear: made?.id }) };
}

async function open(call: Call): Promise<SendRequest> {
  const body = await call.body();
  return requestTo(endpoint, call, { key: call.header('toy-key') ?? null, body, json: parseJson(body) });
}

async function send({ accepting, now }: FacadeParts, request: SendRequest): Promise<Outcome> {
  const found = await accepting.lookUp(request);
  return found.kind === 'new' ? accepting.commit(found, prepare(request, now())) : found;
}

/** What no door may do: it looks at the request before it looks the key up. */
async function sendHastily({ accepting, now }: FacadeParts, request: SendRequest): Promise<Outcome> {
  const submission = await prepare(request, now());
  const found = await accepting.lookUp(request);
  return found.kind === 'new' ? accepting.commit(found, Promise.resolve(submission)) : found;
}

async function prepare({ json }: SendRequest, now: number): Promise<Submission> {
  const { to, words, until = Number.POSITIVE_INFINITY } = json as ToyNote;
  if (now > until) throw new AppError('invalid_field', 'Too late.');
  const none = { cc: [], bcc: [], replyTo: [], html: null, headers: [], tags: [], topicId: null, attachments: [] };
  const message = { ...none, from: 'toy@acme.example', to: [to], subject: 'A note', text: words };
  return {
    messages: [{ ...message, scheduledAt: null, scheduledText: null }],
    answer: ([email]) => ({ status: 201, body: JSON.stringify({ note: email?.id }) }),
  };
}

function toReply(outcome: Outcome): Reply {
  switch (outcome.kind) {
    case 'accepted':
      return outcome.answer;
    case 'replay':
      return { status: outcome.record.status, body: outcome.record.body, headers: { 'toy-again': 'yes' } };
    case 'conflict':
      throw new AppError('idempotency_mismatch', 'Another note.', { extra: { fields: outcome.fields } });
    default:
      return outcome satisfies never;
  }
}
