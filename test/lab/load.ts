/** Clients as they should be: each operation has a key, and is retried under it until it is answered. */

import { Agent, request as httpRequest } from 'node:http';
import type { Random } from '../support/random.ts';
import { testKey } from '../support/server.ts';

export type Operation = {
  key: string;
  path: '/emails' | '/emails/batch';
  text: string;
  /** The emails it asks for, in order. */
  asked: Asked[];
  /** The body of the first 2xx: what every later one has to be. */
  answer: string | null;
};

export type Asked = { from: string; to: string[]; subject: string; html: string };

export type LoadOptions = {
  random: Random;
  /** Where the server listens now; null while it is down. */
  target: () => string | null;
  clients?: number;
};

type Reply = { status: number; text: string; isReplayed: boolean };

/** An operation that is not answered for this long is a failure of its own. */
const patienceMs = 60_000;
/** Shorter than a pause of the server in these tests: clients give up and come again. */
const timeoutMs = 800;

export class Load {
  readonly operations: Operation[] = [];
  /** Promises broken in front of the clients' eyes. */
  readonly violations: string[] = [];
  /** Operations that have their first answer. */
  answered = 0;
  replays = 0;
  aborts = 0;
  readonly #options: LoadOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #clients: Promise<void>[] = [];
  #isEnding = false;
  #isAbandoned = false;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  start(): void {
    this.#clients = Array.from({ length: this.#options.clients ?? 16 }, () => this.#work());
  }

  /** Resolves when so many more operations are answered; after some seconds anyway, since the server may be busy dying. */
  async answeredMore(operations: number): Promise<void> {
    const goal = this.answered + operations;
    const giveUpAt = performance.now() + 5_000;
    while (this.answered < goal && performance.now() < giveUpAt) await pause(1);
  }

  /** Nothing new is begun; resolves when everything begun is answered. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.#clients);
  }

  /** Whatever is not answered by now never will be. */
  abandon(): void {
    this.#isEnding = true;
    this.#isAbandoned = true;
    this.#agent.destroy();
  }

  /** Asks for every operation once more. */
  async repeatAll(): Promise<void> {
    const waiting = [...this.operations];
    const repeat = async () => {
      for (let one = waiting.pop(); one; one = waiting.pop()) await this.#untilAnswered(one);
    };
    await Promise.all(Array.from({ length: 8 }, repeat));
  }

  async #work(): Promise<void> {
    const { random } = this.#options;
    while (!this.#isEnding) {
      const operation = this.#begin();
      // Some clients send the same thing twice at once, some come back to an old one.
      const also = random() < 0.1 ? [operation] : random() < 0.1 ? [this.#old()] : [];
      await Promise.all([operation, ...also].map((one) => this.#untilAnswered(one)));
      await pause(random() * 10);
    }
  }

  #begin(): Operation {
    const number = this.operations.length;
    const { random } = this.#options;
    const isBatch = random() < 0.1;
    const asked = Array.from({ length: isBatch ? 3 : 1 }, (_, part) => this.#ask(`${number}.${part}`));
    const operation: Operation = {
      key: `load/${number}`,
      path: isBatch ? '/emails/batch' : '/emails',
      text: JSON.stringify(isBatch ? asked : asked[0]),
      asked,
      answer: null,
    };
    this.operations.push(operation);
    return operation;
  }

  /** Every address and subject belongs to one email, so that whoever sees one knows which. One mail in four has some more recipients. */
  #ask(name: string): Asked {
    const recipients = this.#options.random() < 0.25 ? 3 : 1;
    return {
      from: 'Acme <onboarding@resend.dev>',
      to: Array.from({ length: recipients }, (_, index) => `user${name}.${index}@example.com`),
      subject: `mail ${name}`,
      html: `<p>${'it works '.repeat(20)}</p>`,
    };
  }

  #old(): Operation {
    return this.operations[Math.floor(this.#options.random() * this.operations.length)] as Operation;
  }

  async #untilAnswered(operation: Operation): Promise<void> {
    const giveUpAt = performance.now() + patienceMs;
    while (performance.now() < giveUpAt) {
      if (this.#isAbandoned) return;
      const reply = await this.#try(operation);
      if (reply?.status === 200) return this.#hear(operation, reply);
      const isRefusal = reply !== null && !isTemporary(reply);
      if (isRefusal) return void this.violations.push(`${operation.key}: ${reply.status} ${reply.text}`);
      await pause(5 + this.#options.random() * 10);
    }
    this.violations.push(`${operation.key} was not answered within ${patienceMs} ms`);
  }

  #hear(operation: Operation, reply: Reply): void {
    if (reply.isReplayed) this.replays += 1;
    if (operation.answer === null) this.answered += 1;
    operation.answer ??= reply.text;
    if (operation.answer === reply.text) return;
    this.violations.push(`${operation.key} was answered ${operation.answer}, then ${reply.text}`);
  }

  /** Null: no answer came. Some clients do not even wait for it: whether it arrived is then anybody's guess. */
  #try(operation: Operation): Promise<Reply | null> {
    const url = this.#options.target();
    if (url === null) return Promise.resolve(null);
    const isImpatient = this.#options.random() < 0.1;
    if (isImpatient) this.aborts += 1;
    return this.#exchange(url, operation, isImpatient ? 1 + this.#options.random() * 20 : timeoutMs);
  }

  #exchange(url: string, { key, path, text }: Operation, giveUpMs: number): Promise<Reply | null> {
    return new Promise((resolve) => {
      const outgoing = httpRequest(`${url}${path}`, {
        method: 'POST',
        agent: this.#agent,
        headers: { authorization: `Bearer ${testKey}`, 'content-type': 'application/json', 'idempotency-key': key },
      });
      const timer = setTimeout(() => outgoing.destroy(), giveUpMs);
      outgoing.on('response', (incoming) => {
        const isReplayed = incoming.headers['idempotent-replayed'] === 'true';
        let body = '';
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk) => {
          body += chunk;
        });
        incoming.on('error', () => resolve(null));
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text: body, isReplayed }));
      });
      outgoing.on('error', () => resolve(null));
      outgoing.on('close', () => {
        clearTimeout(timer);
        resolve(null);
      });
      outgoing.end(text);
    });
  }
}

/** "Come again": another request of the same key is under way, or the database is away. */
function isTemporary({ status, text }: Reply): boolean {
  return status === 503 || (status === 409 && text.includes('concurrent_idempotent_requests'));
}

/** Clients think, and machines die, at times of their own: there is no signal to wait for. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
