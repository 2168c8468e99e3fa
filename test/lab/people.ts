/** People beside the load: they cancel, reschedule, settle doubts, suppress and revoke keys at random moments, and note what they were told. */

import type { Random } from '../support/random.ts';
import { type Deeds, Desk, type DoubtAnswer, noDeeds } from './deeds.ts';
import type { Hooks } from './hooks.ts';
import type { LabClock } from './lab-clock.ts';
import { type Load, pause } from './load.ts';
import { addressOf, type Mixture, type Operation } from './operation.ts';
import { runCommand, type Setting } from './program.ts';

export type PeopleOptions = {
  random: Random;
  clock: LabClock;
  /** Where somebody listens now: one of the processes at random. */
  target: () => string | null;
  load: Load;
  hooks: Hooks;
  setting: Setting;
};

/** What the load asks for where there are people: something to call off, and both facades. */
export function mixtureFor(random: Random, clock: LabClock): Mixture {
  return {
    brevo: 0.2,
    scheduled: 0.25,
    later: () => Math.round(clock.now() + (0.2 + random() * 3) * 1_000 * clock.speed),
  };
}

/** Around the time an accepted mail takes to its gate. */
const freshMsMax = 40;
/** How long an extra key is used before it is revoked. */
const keyMsMax = 2_500;
/** Doubts an operator looks up; what is left of them stays in doubt. */
const lookedUp = 0.6;

const answers = { sent: 'sent', 'send-again': 'queued', abandon: 'failed' } as const;
type Answer = keyof typeof answers;

export class People {
  readonly deeds: Deeds = noDeeds();
  readonly #options: PeopleOptions;
  readonly #desk: Desk;
  readonly #tokens: string[] = [];
  /** Doubts somebody has looked at. */
  readonly #seen = new Set<string>();
  #lives: Promise<void>[] = [];
  #isEnding = false;

  constructor(options: PeopleOptions) {
    this.#options = options;
    this.#desk = new Desk(options.target);
  }

  /** Of an extra key, for some requests of the load; null: the one of the settings. */
  token(): string | null {
    const { random } = this.#options;
    return random() < 0.3 ? (this.#tokens[Math.floor(random() * this.#tokens.length)] ?? null) : null;
  }

  start(): void {
    const { hooks } = this.#options;
    this.#lives = [
      this.#live(60, () => this.#cancel()),
      this.#live(60, () => this.#cancel()),
      this.#live(60, () => this.#reschedule()),
      this.#live(60, () => this.#reschedule()),
      this.#live(150, () => this.#settleDoubts()),
      this.#live(100, () => this.#suppress()),
      this.#live(3_000, () => this.#changeKeys()),
      this.#live(150, () => hooks.change()),
      this.#live(150, () => hooks.change()),
    ];
  }

  /** Resolves when everybody has done what they were doing. A server must be up. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.#lives);
    await this.#options.hooks.enableAll();
  }

  leave(): void {
    this.#isEnding = true;
    this.#desk.leave();
  }

  async #live(pauseMsMax: number, act: () => Promise<void>): Promise<void> {
    while (!this.#isEnding) {
      await act();
      await pause(this.#options.random() * pauseMsMax);
    }
  }

  /** One that was accepted a moment ago, or one that waits for its time. */
  async #someOperation(): Promise<Operation | null> {
    const { load, random } = this.#options;
    if (random() < 0.5) {
      await load.answeredMore(1);
      await pause(random() * freshMsMax);
      return load.accepted.at(-1) ?? null;
    }
    const waiting = load.accepted.slice(-400).filter((one) => this.#waits(one));
    return waiting[Math.floor(random() * waiting.length)] ?? null;
  }

  #waits({ scheduledAt }: Operation): boolean {
    return scheduledAt !== null && scheduledAt > this.#options.clock.now();
  }

  #some(ids: string[]): string {
    return ids[Math.floor(this.#options.random() * ids.length)] ?? '';
  }

  async #cancel(): Promise<void> {
    const operation = await this.#someOperation();
    if (!operation?.ids) return;
    const { random } = this.#options;
    const facade = operation.scheduledAt !== null && random() < 0.5 ? 'brevo' : 'resend';
    const batchId = facade === 'brevo' && random() < 0.5 ? operation.batchId : null;
    const emails = batchId === null ? [this.#some(operation.ids)] : operation.ids;
    const [email] = emails;
    const asking =
      facade === 'resend'
        ? { method: 'POST', path: `/emails/${email}/cancel` }
        : { method: 'DELETE', path: `/v3/smtp/email/${encodeURIComponent(batchId ?? `<${email}@resend.dev>`)}` };
    const deed = await this.#desk.ask(asking);
    if (deed) this.deeds.cancels.push({ ...deed, facade, emails });
  }

  async #reschedule(): Promise<void> {
    const operation = await this.#someOperation();
    if (!operation?.ids) return;
    const { random, clock } = this.#options;
    const email = this.#some(operation.ids);
    const to = Math.round(clock.now() + (1 + random() * 3) * 1_000 * clock.speed);
    const body = { scheduled_at: new Date(to).toISOString() };
    const deed = await this.#desk.ask({ method: 'PATCH', path: `/emails/${email}`, body });
    if (deed) this.deeds.reschedules.push({ ...deed, email, to, answeredAt: clock.now() });
  }

  /** One operator, or two at once who do not agree. */
  async #settleDoubts(): Promise<void> {
    const { random } = this.#options;
    const listed = await this.#desk.ask({ method: 'GET', path: '/in-doubt?limit=50' });
    if (listed?.reply?.status !== 200) return;
    const held = (JSON.parse(listed.reply.text) as { data: { id: string }[] }).data;
    for (const { id } of held.filter((one) => !this.#seen.has(one.id))) {
      this.#seen.add(id);
      if (random() > lookedUp) continue;
      const all: Answer[] = ['sent', 'send-again', 'abandon'];
      const first = all.splice(Math.floor(random() * all.length), 1);
      const others = random() < 0.5 ? all.slice(0, 1) : [];
      await Promise.all([...first, ...others].map((answer) => this.#settle(id, answer)));
    }
  }

  async #settle(id: string, answer: Answer): Promise<void> {
    const [email = '', part = '0'] = id.split('.');
    // What is sent again may come into doubt again.
    if (answer === 'send-again') this.#seen.delete(id);
    const settled = { email, part: Number(part), state: answers[answer] };
    if (this.#options.random() < 0.05) return this.#settleByCommand(id, answer, settled);
    const deed = await this.#desk.ask({ method: 'POST', path: `/in-doubt/${id}`, body: { answer } });
    if (deed) this.deeds.doubtAnswers.push({ ...deed, ...settled });
  }

  async #settleByCommand(id: string, answer: Answer, settled: Pick<DoubtAnswer, 'email' | 'part' | 'state'>) {
    const begunAt = performance.now();
    const { outcome, said } = await command(this.#options.setting, 'queue', 'settle', id, answer);
    const isRefused = said.includes('is not in doubt');
    const known = isRefused ? 'refused' : outcome;
    this.deeds.doubtAnswers.push({ begunAt, endedAt: performance.now(), outcome: known, said, ...settled });
  }

  /** Addresses of mails that nobody has sent yet, now and then of one that waits. Half of them are let through again. */
  async #suppress(): Promise<void> {
    const { load, random } = this.#options;
    const waiting = load.operations.slice(-100).filter((one) => this.#waits(one));
    const ahead = load.operations.length + 5 + Math.floor(random() * 60);
    const chosen = random() < 0.7 ? undefined : waiting[Math.floor(random() * waiting.length)];
    const address = chosen?.asked[0]?.to[0] ?? addressOf(ahead);
    const isOne = random() < 0.7;
    const body = isOne ? { email: address } : { emails: [address] };
    const added = await this.#desk.ask({
      method: 'POST',
      path: isOne ? '/suppressions' : '/suppressions/batch/add',
      body,
    });
    if (!added) return;
    this.deeds.suppressions.push({ ...added, address, kind: 'add' });
    if (random() < 0.5) return;
    await pause(random() * 200);
    const path = random() < 0.5 ? `/suppressions/${address}` : `/v3/smtp/blockedContacts/${address}`;
    const removed = await this.#desk.ask({ method: 'DELETE', path });
    if (removed) this.deeds.suppressions.push({ ...removed, address, kind: 'remove' });
  }

  /** A key of one's own, used by some clients for a while, and by some after it was revoked. */
  async #changeKeys(): Promise<void> {
    const { setting, random } = this.#options;
    const made = await command(setting, 'key', 'create', '--name', 'people');
    const [, token, id] = /^(re_\S+)\s+(\S+),/.exec(made.said) ?? [];
    if (made.outcome !== 'done' || !token || !id) return;
    this.#tokens.push(token);
    await pause(random() * keyMsMax);
    const begunAt = performance.now();
    const { outcome, said } = await command(setting, 'key', 'revoke', id);
    // A second word of "there is none" would only say that the first try did it.
    const known = outcome === 'done' ? 'done' : 'unknown';
    this.deeds.revocations.push({ begunAt, endedAt: performance.now(), outcome: known, said, token });
    // Some go on with it for longer than a server may remember it.
    await pause(1_500);
    this.#tokens.splice(this.#tokens.indexOf(token), 1);
  }
}

/** Longer than the command line waits for a database that is away. */
const commandMsMax = 30_000;

async function command(setting: Setting, ...words: string[]): Promise<{ outcome: 'done' | 'unknown'; said: string }> {
  try {
    return { outcome: 'done', said: await runCommand(setting, words, commandMsMax) };
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    return { outcome: 'unknown', said: stderr || String(error) };
  }
}
