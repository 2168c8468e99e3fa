/** The relay that is an HTTP API: one request a delivery, under a key that is the delivery, so that a doubt settles itself by repeating. */

import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import type { Outcome } from '../../core/outcome.ts';
import { noReply, type Reply } from '../../core/reply.ts';
import type { Gate, Relay, Shipment } from '../relay.ts';
import { brevo } from './brevo.ts';
import { type Answer, type Asked, ask } from './exchange.ts';
import { jsonOf, onlyHere, outcomeOf, taken, verdictOf, wordsOf } from './outcome.ts';
import { resend, sendonce } from './resend.ts';
import type { Answered, Meaning, Request, Service } from './service.ts';
import { Ses } from './ses.ts';
import { worded } from './words.ts';

export type UpstreamOptions = {
  service: 'resend' | 'brevo' | 'sendonce' | 'ses';
  /** Of SES. */
  aws?: { accessKeyId: string; region: string };
  host: string;
  port: number;
  isSecure: boolean;
  /** Whose certificate is taken, where that is not whose the system takes. */
  tls?: https.AgentOptions;
  /** At SES the secret access key. */
  apiKey: string;
  concurrency: number;
  /** For an answer. Absent: as long as its own SDKs wait. */
  answerMs?: number;
};

const services: Record<Exclude<UpstreamOptions['service'], 'ses'>, Service> = { resend, brevo, sendonce };

const connectMs = 30_000;
/** What an API does not answer in this time is asked again under its key. */
const answerMsDefault = 30_000;

export function createUpstream(options: UpstreamOptions): Relay {
  const { service, aws, ...others } = options;
  if (service === 'ses') {
    assert(aws, 'SES has a region and a key of its own');
    return new Ses({ ...others, ...aws });
  }
  return new Upstream({ ...others, service });
}

type KeyedOptions = Omit<UpstreamOptions, 'service' | 'aws'> & { service: keyof typeof services };

class Upstream implements Relay {
  readonly name: string;
  readonly concurrency: number;
  readonly repeatsForMs: number;
  readonly repeatsAfterMs: number;
  readonly #options: KeyedOptions;
  readonly #service: Service;
  readonly #agent: http.Agent;

  constructor(options: KeyedOptions) {
    const { service, host, port, isSecure, concurrency, tls } = options;
    this.#options = options;
    this.#service = services[service];
    this.name = `${service}://${host}:${port}`;
    this.concurrency = concurrency;
    this.repeatsForMs = this.#service.repeatsForMs;
    this.repeatsAfterMs = this.#service.repeatsAfterMs;
    const terms = { keepAlive: true, maxSockets: concurrency, ...tls };
    this.#agent = isSecure ? new https.Agent(terms) : new http.Agent(terms);
  }

  async ship(shipment: Shipment, gate: Gate): Promise<Outcome> {
    const said = await this.#say(shipment);
    if ('why' in said) return said.isOnlyHere ? onlyHere(said.why) : { phase: 'unreached', reply: noReply(said.why) };
    const opening = () => gate({ accepted: shipment.envelope.to, refused: [] });
    let asked = await this.#ask(said, opening);
    // The connection had ended before anything of this was read, and the gate was not asked: another one is opened.
    if (asked.kind === 'unasked' && asked.isStale && !asked.wasGated)
      asked = await this.#ask(said, opening, freshAgent);
    return outcomeOf(asked, (answer) => this.#meaningOf(answer));
  }

  /** The same request under the same key: whatever it did the first time, it does not do it twice. */
  async repeat(shipment: Shipment): Promise<Outcome | null> {
    const said = await this.#say(shipment);
    if ('why' in said) return null;
    const asked = await this.#ask(said, async () => true, freshAgent);
    return asked.kind === 'answered' ? this.#evidenceOf(asked.answer) : null;
  }

  /** A question that sends nothing: whoever answers it is there. */
  async probe(): Promise<Reply | null> {
    const question = { path: '/', headers: {}, body: '{}' };
    const asked = await this.#ask(question, async () => true, freshAgent);
    if (asked.kind === 'answered' || asked.kind === 'early') return null;
    return noReply(asked.kind === 'shut' ? '' : asked.error.message, null);
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }

  async #say({ readMail, envelope, envelopeId }: Shipment): Promise<Request | Unsaid> {
    try {
      const mail = await readMail?.();
      if (!mail) return { why: 'Its contents are gone from the database.', isOnlyHere: false };
      if (mail.raw)
        return {
          why: 'It came over SMTP and leaves as it was written, which no HTTP API has words for.',
          isOnlyHere: true,
        };
      const said = this.#service.say(
        { email: worded(mail), recipients: envelope.to, key: envelopeId },
        this.#options.apiKey,
      );
      return 'request' in said ? said.request : { why: said.unspeakable, isOnlyHere: true };
    } catch (error) {
      return { why: `It could not be read: ${(error as Error).message}`, isOnlyHere: false };
    }
  }

  #ask({ path, headers, body }: Request, gate: () => Promise<boolean>, own?: { agent: false }): Promise<Asked> {
    const { host, port, isSecure, tls, answerMs = answerMsDefault } = this.#options;
    const agent = own ? { ...own, ...(isSecure ? tls : {}) } : { agent: this.#agent };
    const known = { 'content-type': 'application/json', accept: 'application/json', 'user-agent': 'sendonce' };
    const options = { host, port, path, method: 'POST', ...agent, headers: { ...known, ...headers } };
    return ask({ options, isSecure, body: Buffer.from(body), gate, connectMs, answerMs });
  }

  /** Null: nothing is learned. A refusal tells only where the key is looked up before anything is refused. */
  #evidenceOf(answer: Answer): Outcome | null {
    const meaning = this.#meaningOf(answer);
    if (meaning.means === 'taken') return taken(meaning.id, answer);
    if (meaning.means === 'other') return { phase: 'in_doubt', reason: wordsOf(answer) };
    if (meaning.means === 'refused' && this.#service.looksUpFirst) return verdictOf(answer, meaning);
    return null;
  }

  #meaningOf({ status, headers, text }: Answer): Meaning {
    const answered: Answered = { status, headers, json: jsonOf(text) };
    return this.#service.read(answered);
  }
}

/** Why nothing was asked; `isOnlyHere`: another relay may have words for it. */
type Unsaid = { why: string; isOnlyHere: boolean };

/** Nothing that another mail has used. */
const freshAgent = { agent: false } as const;
