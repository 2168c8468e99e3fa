/** Amazon SES over its API (version 2): the mail as it is, signed by us, with the delivery as a tag. It has no keys: a doubt is held. */

import http from 'node:http';
import https from 'node:https';
import type { Outcome } from '../../core/outcome.ts';
import { joined } from '../../core/pieces.ts';
import { noReply, type Reply } from '../../core/reply.ts';
import type { Gate, Relay, Shipment } from '../relay.ts';
import { signed } from './aws-signature.ts';
import { type Answer, type Asked, ask } from './exchange.ts';
import { jsonOf, outcomeOf, wordsOf } from './outcome.ts';
import type { Meaning } from './service.ts';

export type SesOptions = {
  host: string;
  port: number;
  isSecure: boolean;
  tls?: https.AgentOptions;
  region: string;
  accessKeyId: string;
  /** The secret access key. */
  apiKey: string;
  concurrency: number;
  answerMs?: number;
};

const path = '/v2/email/outbound-emails';
const connectMs = 30_000;
const answerMsDefault = 30_000;

/** By it its notifications say which delivery they are about. */
const deliveryTag = 'sendonce-delivery';

export class Ses implements Relay {
  readonly name: string;
  readonly concurrency: number;
  readonly #options: SesOptions;
  readonly #agent: http.Agent;

  constructor(options: SesOptions) {
    const { host, port, isSecure, concurrency, tls } = options;
    this.#options = options;
    this.name = `ses://${host}:${port}`;
    this.concurrency = concurrency;
    const terms = { keepAlive: true, maxSockets: concurrency, ...tls };
    this.#agent = isSecure ? new https.Agent(terms) : new http.Agent(terms);
  }

  async ship({ envelope, pieces, envelopeId }: Shipment, gate: Gate): Promise<Outcome> {
    const body = JSON.stringify({
      Content: { Raw: { Data: joined(pieces).toString('base64') } },
      // The envelope's: who is in Bcc stands in no header.
      Destination: { ToAddresses: envelope.to },
      EmailTags: [{ Name: deliveryTag, Value: envelopeId }],
    });
    const opening = () => gate({ accepted: envelope.to, refused: [] });
    let asked = await this.#ask(body, opening, this.#agent);
    // The connection had ended before anything of this was read, and the gate was not asked: another one is opened.
    if (asked.kind === 'unasked' && asked.isStale && !asked.wasGated) asked = await this.#ask(body, opening, false);
    return outcomeOf(asked, meaningOf);
  }

  /** A request that is no mail: whoever refuses it is there. */
  async probe(): Promise<Reply | null> {
    const asked = await this.#ask('{}', async () => true, false);
    if (asked.kind === 'shut') return null;
    if (asked.kind !== 'answered' && asked.kind !== 'early') return noReply(asked.error.message);
    const { means } = meaningOf(asked.answer);
    return means === 'account' ? noReply(wordsOf(asked.answer), 'login') : null;
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }

  #ask(text: string, gate: () => Promise<boolean>, agent: http.Agent | false): Promise<Asked> {
    const { host, port, isSecure, tls, region, accessKeyId, apiKey, answerMs = answerMsDefault } = this.#options;
    const body = Buffer.from(text);
    const isOwnPort = port === (isSecure ? 443 : 80);
    const headers = { 'content-type': 'application/json', host: isOwnPort ? host : `${host}:${port}` };
    const signer = { accessKeyId, secretAccessKey: apiKey, region, service: 'ses' };
    // By the system's clock: SES refuses what is five minutes off.
    const signature = signed({ method: 'POST', path, headers, body }, signer, new Date());
    const options = {
      host,
      port,
      path,
      method: 'POST',
      agent,
      ...(agent ? {} : tls),
      headers: { ...headers, ...signature },
    };
    return ask({ options, isSecure, body, gate, connectMs, answerMs });
  }
}

/** As docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html lists the errors. */
function meaningOf({ status, headers, text }: Answer): Meaning {
  const json = jsonOf(text);
  if (status >= 200 && status < 300) {
    return { means: 'taken', id: typeof json.MessageId === 'string' ? json.MessageId : null };
  }
  const type = String(headers['x-amzn-errortype'] ?? json.__type ?? '').replace(/:.*$|^.*#/g, '');
  const words = String(json.message ?? json.Message ?? '');
  if (status === 429 || type === 'TooManyRequestsException' || type === 'LimitExceededException')
    return { means: 'later' };
  if (type === 'MailFromDomainNotVerifiedException') return { means: 'sender' };
  if (type === 'MessageRejected' && /not verified/i.test(words)) return { means: 'sender' };
  if (type === 'AccountSuspendedException' || type === 'SendingPausedException') return { means: 'account' };
  if (status === 401 || status === 403 || status === 404) return { means: 'account' };
  return status >= 400 && status < 500 && status !== 408 ? { means: 'refused' } : { means: 'unclear' };
}
