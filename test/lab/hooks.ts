/** Webhooks at an endpoint that refuses some tellings at first: made, changed and deleted by people, and what each must have been told. */

import type { Random } from '../support/random.ts';
import { type Receiver, startReceiver, type Told } from '../support/receiver.ts';
import type { Books } from './books.ts';
import { type Deed, Desk } from './deeds.ts';
import { pause } from './load.ts';
import { emailOf } from './operation.ts';

/** A fact as the log has it. */
export type LoggedEvent = { id: number; email_id: string; type: string; at: number; detail: string };

/** Types of events, in the words of the log. */
type Config = { enabled: boolean; types: string[] };

/** Between two changes, where everybody was told how they went: what it is sure to be told, and what not. */
type Window = { config: Config; after: number; events: LoggedEvent[] | null };

type Hook = {
  facade: 'resend' | 'brevo';
  path: string;
  id: string;
  config: Config;
  windows: Window[];
  state: 'living' | 'deleted' | 'unknown';
  isBusy: boolean;
};

/** What the lab can make happen, as each facade has its clients subscribe to it. */
const names = {
  resend: {
    sent: ['email.sent'],
    delivered: ['email.delivered'],
    delivery_delayed: ['email.delivery_delayed'],
    bounced: ['email.bounced'],
    failed: ['email.failed'],
    scheduled: ['email.scheduled'],
    suppressed: ['email.suppressed'],
    suppression_added: ['suppression.added'],
    suppression_removed: ['suppression.removed'],
  },
  brevo: {
    sent: ['request'],
    delivered: ['delivered'],
    delivery_delayed: ['deferred'],
    bounced: ['hardBounce', 'softBounce'],
    suppressed: ['blocked'],
  },
} as const;

const brevoTypes: Record<string, string> = {
  request: 'sent',
  delivered: 'delivered',
  deferred: 'delivery_delayed',
  hard_bounce: 'bounced',
  soft_bounce: 'bounced',
  blocked: 'suppressed',
};

/** One telling in so many is refused, and has to come again. */
const refusedOneIn = 8;

const livingMax = 4;
/** Of those whose making or deleting nobody was told the end of: an account may have only so many. */
const unknownMax = 20;

export class Hooks {
  readonly receiver: Receiver;
  readonly violations: string[] = [];
  readonly #random: Random;
  readonly #books: Books;
  readonly #desk: Desk;
  readonly #hooks: Hook[] = [];
  readonly #refused = new WeakSet<Told>();
  #isOver = false;

  static async start(random: Random, books: Books, target: () => string | null): Promise<Hooks> {
    return new Hooks(random, books, target, await startReceiver(null));
  }

  private constructor(random: Random, books: Books, target: () => string | null, receiver: Receiver) {
    this.#random = random;
    this.#books = books;
    this.#desk = new Desk(target);
    this.receiver = receiver;
    receiver.behave = (told) => {
      if (random() >= 1 / refusedOneIn) return {};
      this.#refused.add(told);
      return { status: 503 };
    };
  }

  /** One that hears of everything, for as long as the life lasts. */
  async hearAll(): Promise<void> {
    while (!this.#isOver && !this.#hooks.some(({ state }) => state === 'living')) {
      await this.#create('resend', Object.keys(names.resend));
    }
  }

  /** What one person does to one of them, or two persons at once. */
  async change(): Promise<void> {
    const random = this.#random;
    const living = this.#hooks.filter(({ state }) => state === 'living');
    if (this.#hooks.filter(({ state }) => state === 'unknown').length > unknownMax) return this.#clearAway();
    if (living.length < livingMax && random() < 0.5) {
      return this.#create(random() < 0.7 ? 'resend' : 'brevo');
    }
    const free = living.filter(({ isBusy }) => !isBusy);
    const hook = free[Math.floor(random() * free.length)];
    if (!hook) return;
    hook.isBusy = true;
    await this.#changeOne(hook);
    hook.isBusy = false;
  }

  /** So that each of them is told what it still has to be told. A server must be up. */
  async enableAll(): Promise<void> {
    for (const hook of this.#hooks.filter(({ state }) => state === 'living')) {
      const change = hook.facade === 'resend' ? { status: 'enabled' } : {};
      await this.#during(hook, { ...hook.config, enabled: true }, () => [this.#patch(hook, change)]);
    }
  }

  /** From now on nothing is refused. */
  calm(): void {
    this.receiver.behave = () => ({});
  }

  /** Events that are still to be told, and what is known of a few of them. */
  async untold(): Promise<{ count: number; some: string[] }> {
    const pending = `from webhook_deliveries d join webhooks w on w.number = d.webhook
      where d.state = 'pending' and w.enabled = 1 and w.deleted_at is null`;
    const [row] = await this.#books.rows<{ n: number }>(`select count(*) as n ${pending}`);
    const count = Number(row?.n ?? 0);
    if (count === 0) return { count, some: [] };
    const known = 'w.id as webhook, d.type, d.attempt, d.tries, d.run_at, d.worker';
    const some = await this.#books.rows(`select ${known} ${pending} limit 5`);
    return { count, some: some.map((one) => JSON.stringify(one)) };
  }

  async close(): Promise<void> {
    this.#isOver = true;
    this.#desk.leave();
    await this.receiver.close();
  }

  async #changeOne(hook: Hook): Promise<void> {
    const random = this.#random;
    const { config, facade } = hook;
    if (random() < 0.15) {
      const path = `${facade === 'resend' ? '' : '/v3'}/webhooks/${hook.id}`;
      return this.#during(hook, null, () => [this.#desk.ask({ method: 'DELETE', path })]);
    }
    const types = this.#someTypes(facade);
    const enabled = facade === 'brevo' || !config.enabled || random() < 0.5;
    const subscribe = () => this.#patch(hook, { events: namesOf(facade, types) });
    const toggle = () => this.#patch(hook, { status: enabled ? 'enabled' : 'disabled' });
    // Brevo's clients cannot disable one, and whatever they change enables it.
    if (facade === 'brevo') return this.#during(hook, { enabled, types }, () => [subscribe()]);
    const chosen = random();
    if (chosen < 0.4) return this.#during(hook, { enabled, types }, () => [subscribe(), toggle()]);
    if (chosen < 0.7) return this.#during(hook, { ...config, enabled }, () => [toggle()]);
    return this.#during(hook, { ...config, types }, () => [subscribe()]);
  }

  /** Deletes what may be there still; nothing was certain about it before. */
  async #clearAway(): Promise<void> {
    for (const facade of ['resend', 'brevo'] as const) {
      const there = await this.#listed(facade);
      for (const hook of this.#hooks.filter((one) => one.state === 'unknown' && one.facade === facade)) {
        const id = [...(there ?? [])].find(([url]) => url.endsWith(hook.path))?.[1];
        const path = `${facade === 'resend' ? '' : '/v3'}/webhooks/${id}`;
        const deed = id && (await this.#desk.ask({ method: 'DELETE', path }));
        if (there && (!deed || deed.outcome === 'done')) hook.state = 'deleted';
      }
    }
  }

  /** Ids by URL. Null: nobody said. */
  async #listed(facade: Hook['facade']): Promise<Map<string, string> | null> {
    const path = facade === 'resend' ? '/webhooks?limit=100' : '/v3/webhooks';
    const { reply } = (await this.#desk.ask({ method: 'GET', path })) ?? {};
    if (reply?.status !== 200) return null;
    const { data, webhooks } = JSON.parse(reply.text);
    const all = (data ?? webhooks) as { id: string | number; endpoint?: string; url?: string }[];
    return new Map(all.map(({ id, endpoint, url }) => [endpoint ?? url ?? '', String(id)]));
  }

  #patch({ facade, id }: Hook, body: object): Promise<Deed | null> {
    const path = `${facade === 'resend' ? '' : '/v3'}/webhooks/${id}`;
    return this.#desk.ask({ method: facade === 'resend' ? 'PATCH' : 'PUT', path, body });
  }

  async #create(facade: Hook['facade'], types = this.#someTypes(facade)): Promise<void> {
    const path = `/${facade}/${this.#hooks.length}.${Math.floor(this.#random() * 1e9)}`;
    const url = this.receiver.url + path;
    const events = namesOf(facade, types);
    const asking =
      facade === 'resend'
        ? { method: 'POST', path: '/webhooks', body: { endpoint: url, events } }
        : { method: 'POST', path: '/v3/webhooks', body: { url, events } };
    const deed = await this.#desk.ask(asking);
    if (deed?.outcome === 'refused') this.violations.push(`a webhook was refused: ${deed.said}`);
    const id = deed?.outcome === 'done' ? String(JSON.parse(deed.reply?.text ?? '{}').id) : '';
    const config = { enabled: true, types };
    // Nobody else changes it before its first window is open: PostgreSQL may be away.
    const hook: Hook = { facade, path, id, config, windows: [], state: 'unknown', isBusy: true };
    this.#hooks.push(hook);
    if (id === '') return;
    hook.state = 'living';
    await this.#open(hook);
    hook.isBusy = false;
  }

  /** `config` is what it comes to if all goes well; null: it is deleted. */
  async #during(hook: Hook, config: Config | null, change: () => Promise<Deed | null>[]): Promise<void> {
    if (!(await this.#shut(hook))) return;
    const deeds = await Promise.all(change());
    const refused = deeds.find((deed) => deed?.outcome === 'refused');
    if (refused) this.violations.push(`a change of a webhook was refused: ${refused.said}`);
    if (deeds.some((deed) => deed?.outcome !== 'done')) hook.state = 'unknown';
    else if (config === null) hook.state = 'deleted';
    else {
      hook.config = config;
      await this.#open(hook);
    }
  }

  /** From here on what happens is told, or not told, for certain. */
  async #open(hook: Hook): Promise<void> {
    const { config } = hook;
    while (!this.#isOver) {
      try {
        hook.windows.push({ config, after: await this.#books.lastEventGiven(), events: null });
        return;
      } catch {
        // PostgreSQL is away.
        await pause(20);
      }
    }
  }

  /** False: what stands cannot be read, and nothing may be changed. */
  async #shut({ windows }: Hook): Promise<boolean> {
    const last = windows.at(-1);
    if (!last || last.events) return true;
    try {
      last.events = await this.#eventsAfter(last.after);
      return true;
    } catch {
      return false;
    }
  }

  #eventsAfter(id: number): Promise<LoggedEvent[]> {
    return this.#books.rows<LoggedEvent>(
      `select id, email_id, type, at, detail from events where id > ${id} order by id`,
    );
  }

  #someTypes(facade: Hook['facade']): string[] {
    const all = Object.keys(names[facade]);
    const some = all.filter(() => this.#random() < 0.6);
    return some.length > 0 ? some : all;
  }

  /** What each was told stands in the log, and was to be told; what was to be told was told. */
  async judge(): Promise<string[]> {
    const log = await this.#eventsAfter(0);
    const violations = [...this.violations, ...toldInTwoWays(this.receiver.told)];
    for (const hook of this.#hooks) {
      const told = this.receiver.told.filter(({ path }) => path === hook.path);
      const heard = new Set(told.filter((one) => !this.#refused.has(one)).map(factTold));
      const asked = new Set(told.map(factTold));
      const stands = new Set(log.flatMap((event) => factsOf(hook, event)));
      for (const fact of asked) if (!stands.has(fact)) violations.push(`${fact} was told and did not happen`);
      violations.push(...outOfOrder(hook, log, [...asked]));
      for (const window of hook.windows)
        violations.push(...judgeWindow(hook, window, window.events ?? log, heard, asked));
    }
    return violations;
  }
}

function judgeWindow(
  hook: Hook,
  { config, after }: Window,
  events: LoggedEvent[],
  heard: Set<string>,
  asked: Set<string>,
) {
  const within = events.filter(({ id }) => id > after);
  const isWanted = ({ type }: LoggedEvent) => config.enabled && config.types.includes(type);
  const wanted = within.filter(isWanted).flatMap((event) => factsOf(hook, event));
  const unwanted = new Set(within.flatMap((event) => factsOf(hook, event)));
  for (const fact of wanted) unwanted.delete(fact);
  const missed = hook.state === 'living' ? wanted.filter((fact) => !heard.has(fact)) : [];
  const violations: string[] = [];
  if (missed.length > 0)
    violations.push(`${missed.length} events were never told at ${hook.path}, one of them ${missed[0]}`);
  for (const fact of unwanted)
    if (asked.has(fact)) violations.push(`${fact} was told at ${hook.path}, which did not want it`);
  return violations;
}

/** What happened to one recipient is told in that order, counted by first tellings. */
function outOfOrder(hook: Hook, log: LoggedEvent[], firsts: string[]): string[] {
  const places = new Map(firsts.map((fact, place) => [fact, place]));
  const last = new Map<string, number>();
  const violations: string[] = [];
  for (const event of log) {
    const { email_id, detail } = event;
    const { recipients = [] } = JSON.parse(detail) as { recipients?: string[] };
    const [fact = ''] = factsOf(hook, event);
    const place = places.get(fact);
    if (recipients.length !== 1 || place === undefined) continue;
    const name = `${email_id} ${recipients}`;
    if (place < (last.get(name) ?? 0)) violations.push(`${fact} was told at ${hook.path} before what came first`);
    last.set(name, place);
  }
  return violations;
}

function namesOf(facade: Hook['facade'], types: string[]): string[] {
  const known: Record<string, readonly string[]> = names[facade];
  return types.flatMap((type) => known[type] ?? []);
}

/** Brevo is told of each recipient by itself. */
function factsOf({ facade }: Hook, { email_id, type, at, detail }: LoggedEvent): string[] {
  const fact = `${email_id} ${type} ${at}`;
  if (facade === 'resend') return [fact];
  return ((JSON.parse(detail).recipients ?? []) as string[]).map((recipient) => `${fact} ${recipient}`);
}

function factTold({ json }: Told): string {
  if (json.event) return `${emailOf(json['message-id'])} ${brevoTypes[json.event]} ${json.ts_epoch} ${json.email}`;
  const type = json.type.replace('email.', '').replace('suppression.', 'suppression_');
  return `${json.data.email_id ?? json.data.id} ${type} ${Date.parse(json.created_at)}`;
}

/** Ids that said one thing at one time, and another at another. */
function toldInTwoWays(told: Told[]): string[] {
  const bodies = new Map<string, string>();
  const violations: string[] = [];
  for (const { path, headers, body } of told) {
    const id = headers['svix-id'];
    if (id === undefined) continue;
    const name = `${path} ${id}`;
    if ((bodies.get(name) ?? body) !== body) violations.push(`${name} was told in two ways`);
    bodies.set(name, body);
  }
  return violations;
}
