/** Clients as they should be: each operation has a key, and is retried under it until it is answered. */

import type { Random } from '../support/random.ts';
import { Client, type Reply } from './client.ts';
import { compose, type Mixture, type Operation, readAnswer } from './operation.ts';

export type LoadOptions = {
  random: Random;
  /** Where the server listens now; null while it is down. */
  target: () => string | null;
  clients?: number;
  /** Resend's mails that leave at once, where it is not said. */
  mixture?: Mixture;
  /** The API key of a request; null: the one of the settings. */
  token?: () => string | null;
  /** How long most clients wait for an answer before they come again. */
  answerMs?: number | undefined;
  /** The share of clients that now and then ask for something else under a key that was answered. */
  trespassing?: number | undefined;
  /** How long a client rests between two operations, at most. */
  restMs?: number | undefined;
};

/** One try as its client saw it, but where nobody listened. `endedAt` null: no answer came. Times by `performance.now()`. */
export type Try = { operation: Operation; text: string; begunAt: number; endedAt: number | null; reply: Reply | null };

/** A request under another API key than the one of the settings. Begun and answered by `performance.now()`. */
export type KeyUse = { token: string; begunAt: number; answeredAt: number; isTaken: boolean };

/** An operation that is not answered for this long is a failure of its own; where the machine is busy, starts and kills take most of it. */
const patienceMs = 180_000;
/** Processes start in a second, and on a busy machine in ten. */
const firstAnswerMs = 30_000;
/** Shorter than a pause of the server in most scenarios: clients give up and come again. */
const timeoutMs = 800;
/** As good as none: most scenarios want as much as there can be. */
const restMs = 10;

export class Load {
  readonly operations: Operation[] = [];
  /** Those that have their first answer, in the order of the answers. */
  readonly accepted: Operation[] = [];
  readonly keyUses: KeyUse[] = [];
  readonly tries: Try[] = [];
  /** Promises broken in front of the clients' eyes. */
  readonly violations: string[] = [];
  replays = 0;
  aborts = 0;
  readonly #options: LoadOptions;
  readonly #client = new Client();
  #clients: Promise<void>[] = [];
  #isEnding = false;
  #isAbandoned = false;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  get answered(): number {
    return this.accepted.length;
  }

  start(): void {
    this.#clients = Array.from({ length: this.#options.clients ?? 16 }, () => this.#work());
  }

  /** One operation more, whatever the clients wait for. */
  knock(): void {
    this.#clients.push(this.#untilAnswered(this.#begin()));
  }

  /**
   * Resolves when so many more operations are answered; after some seconds anyway, and more where many are wanted, since the server may be
   * busy dying. Until the first one is answered it waits longer: what is hit each time before it can answer proves nothing.
   */
  async answeredMore(operations: number): Promise<void> {
    const before = this.answered;
    const startedAt = performance.now();
    const mostMs = () => (this.answered > before ? 5_000 + 50 * operations : firstAnswerMs);
    while (this.answered < before + operations && performance.now() - startedAt < mostMs()) {
      if (this.#isEnding) return;
      await pause(1);
    }
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
    this.#client.hangUp();
  }

  /** Asks once more for every operation whose key may not have come of age. */
  async repeatAll(): Promise<void> {
    const waiting = this.operations.filter(({ facade }) => facade === 'resend');
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
      if (random() < (this.#options.trespassing ?? 0)) await this.#trespass();
      await pause(random() * (this.#options.restMs ?? restMs));
    }
  }

  #begin(): Operation {
    const operation = compose(this.operations.length, this.#options.random, this.#options.mixture);
    this.operations.push(operation);
    return operation;
  }

  /** Keys of Brevo's do not live for long. */
  #old(): Operation {
    const one = this.operations[Math.floor(this.#options.random() * this.operations.length)] as Operation;
    return one.facade === 'resend' ? one : (this.operations.at(-1) as Operation);
  }

  /** Once, whatever comes of it: whoever judges the tries says what may. */
  async #trespass(): Promise<void> {
    const operation = this.#old();
    if (operation.facade !== 'resend' || operation.ids === null) return;
    await this.#try(operation, operation.text.replace('"subject":"mail', '"subject":"another mail'));
  }

  async #untilAnswered(operation: Operation): Promise<void> {
    const giveUpAt = performance.now() + patienceMs;
    while (performance.now() < giveUpAt) {
      if (this.#isAbandoned) return;
      const reply = await this.#try(operation);
      const ids = reply && readAnswer(operation, reply);
      if (ids) return this.#hear(operation, reply, ids);
      if (reply && !isTemporary(reply))
        return void this.violations.push(`${operation.key}: ${reply.status} ${reply.text}`);
      await pause(5 + this.#options.random() * 10);
    }
    this.violations.push(`${operation.key} was not answered within ${patienceMs} ms`);
  }

  #hear(operation: Operation, reply: Reply, ids: string[]): void {
    if (reply.isReplayed) this.replays += 1;
    const isFirst = operation.ids === null;
    // Brevo answers a repeat with the same ids, in other words.
    const answer = operation.facade === 'resend' ? reply.text : ids.join();
    operation.ids ??= ids;
    operation.answer ??= answer;
    operation.answeredAt ??= performance.now();
    operation.answeredBy ??= reply.url;
    if (isFirst) this.accepted.push(operation);
    if (operation.answer === answer) return;
    this.violations.push(`${operation.key} was answered ${operation.answer}, then ${answer}`);
  }

  /** Null: no answer came, or none that counts. Some clients do not even wait for it: whether it arrived is then anybody's guess. */
  async #try(operation: Operation, text = operation.text): Promise<Reply | null> {
    const url = this.#options.target();
    if (url === null) return null;
    const isImpatient = this.#options.random() < 0.1;
    if (isImpatient) this.aborts += 1;
    const giveUpMs = isImpatient ? 1 + this.#options.random() * 20 : (this.#options.answerMs ?? timeoutMs);
    const { path } = operation;
    const one: Try = { operation, text, begunAt: performance.now(), endedAt: null, reply: null };
    const asking = { method: 'POST', path, text, ...(operation.facade === 'resend' ? { key: operation.key } : {}) };
    const token = this.#options.token?.() ?? null;
    let isThere = true;
    const reply = await this.#client.ask(url, token === null ? asking : { ...asking, token }, giveUpMs, () => {
      isThere = false;
    });
    if (isThere) this.tries.push(one);
    if (reply === null) return null;
    const answeredAt = performance.now();
    Object.assign(one, { endedAt: answeredAt, reply });
    if (token === null) return reply;
    const isTaken = reply.status !== 401;
    // Where the database is away nobody has looked whose key it is.
    if (reply.status !== 503 && reply.status !== 429)
      this.keyUses.push({ token, begunAt: one.begunAt, answeredAt, isTaken });
    return isTaken ? reply : null;
  }
}

/** "Come again": another request of the same key is under way, or the database is away. */
function isTemporary({ status, text }: Reply): boolean {
  return status === 503 || status === 429 || (status === 409 && text.includes('concurrent_idempotent_requests'));
}

/** Clients think, and machines die, at times of their own: there is no signal to wait for. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
