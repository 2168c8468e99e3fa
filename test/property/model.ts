/** What a client may rely on, without any of how it is done: a write-once register per scope and key, and what became of each email. */

import assert from 'node:assert/strict';

export type Payload = Record<string, unknown>;

/** One operation as a client sends it. `text` may be written in several ways; `meaning` is what has to match. */
export type ApiRequest = {
  path: '/emails' | '/emails/batch';
  key: string | null;
  payload: Payload | Payload[];
  text: string;
  meaning: string;
};

export type ApiReply = { status: number; text: string; isReplayed: boolean };

/** What the first 2xx of a key made true. */
export type Register = {
  request: ApiRequest;
  body: string;
  ids: string[];
  createdAt: number;
  expiresAt: number;
};

export type ModelEmail = { id: string; scheduledAt: number; isCanceled: boolean; register: Register | null };

type Prediction =
  | { kind: 'replay'; register: Register }
  | { kind: 'conflict' }
  /** Too far in the past by now to be accepted as new; the key stays free. */
  | { kind: 'invalid' }
  | { kind: 'new' };

export const hourMs = 60 * 60_000;
/** How long a key lives (contract: 24 hours), from the scheduled time where that is later. */
export const lifetimeMs = 24 * hourMs;
/** Older schedules are refused. */
const scheduleBehindMsMax = hourMs;

export class Model {
  readonly registers = new Map<string, Register>();
  readonly emails = new Map<string, ModelEmail>();
  now: number;

  constructor(now: number) {
    this.now = now;
  }

  /** What a request must be answered, if nothing else is under way. */
  predict(request: ApiRequest): Prediction {
    const register = this.liveRegister(request);
    if (register)
      return register.request.meaning === request.meaning ? { kind: 'replay', register } : { kind: 'conflict' };
    const isPast = schedulesOf(request).some((at) => at !== null && at < this.now - scheduleBehindMsMax);
    return { kind: isPast ? 'invalid' : 'new' };
  }

  /** Checks a reply against the prediction, and remembers what it made true. */
  observe(request: ApiRequest, reply: ApiReply): void {
    const predicted = this.predict(request);
    const said = `${request.path} ${request.key}: ${reply.status} ${reply.text}`;
    switch (predicted.kind) {
      case 'replay':
        assert.equal(reply.status, 200, `a retry is answered what the first was, not ${said}`);
        assert.equal(reply.text, predicted.register.body, 'a retry is answered the same bytes');
        assert(reply.isReplayed, 'a replay says that it is one');
        break;
      case 'conflict':
        assert.equal(reply.status, 409, `a changed request under a key is refused, not ${said}`);
        assert.equal(JSON.parse(reply.text).name, 'invalid_idempotent_request');
        break;
      case 'invalid':
        assert.equal(reply.status, 422, `a moment long past is refused, not ${said}`);
        break;
      case 'new':
        assert.equal(reply.status, 200, `a new request is accepted, not ${said}`);
        assert(!reply.isReplayed, 'a new request is no replay');
        this.accept(request, reply);
        break;
      default:
        predicted satisfies never;
    }
  }

  /** Of requests sent at once under one key, one is accepted; the others are told what it was told, or that they differ. */
  observeTogether(requests: ApiRequest[], replies: ApiReply[]): void {
    const first = requests[0];
    assert(first);
    if (this.predict(first).kind === 'new') {
      const winners = replies.filter((reply) => reply.status === 200 && !reply.isReplayed);
      assert.equal(winners.length, 1, 'of requests sent at once under one key exactly one is new');
      const winner = replies.indexOf(winners[0] as ApiReply);
      this.observe(requests[winner] as ApiRequest, replies[winner] as ApiReply);
      for (const [at, reply] of replies.entries()) if (at !== winner) this.observe(requests[at] as ApiRequest, reply);
      return;
    }
    for (const [at, reply] of replies.entries()) this.observe(requests[at] as ApiRequest, reply);
  }

  /** A retry of something whose answer may have been lost with the process: new or a replay, but accepted. */
  observeAfterLoss(request: ApiRequest, reply: ApiReply): void {
    this.observe(request, this.predict(request).kind === 'new' ? { ...reply, isReplayed: false } : reply);
  }

  accept(request: ApiRequest, reply: ApiReply): void {
    const ids = idsOf(reply);
    const scheduled = schedulesOf(request);
    assert.equal(ids.length, scheduled.length, 'one id for each message');
    const expiresAt = Math.max(this.now, ...scheduled.map((at) => at ?? 0)) + lifetimeMs;
    const register = request.key === null ? null : { request, body: reply.text, ids, createdAt: this.now, expiresAt };
    if (register) this.registers.set(slotOf(request), register);
    for (const [index, id] of ids.entries()) {
      assert(!this.emails.has(id), `a new request makes a new email, not ${id} again`);
      this.emails.set(id, { id, scheduledAt: scheduled[index] ?? 0, isCanceled: false, register });
    }
  }

  liveRegister(request: ApiRequest): Register | null {
    const register = request.key === null ? undefined : this.registers.get(slotOf(request));
    return register && register.expiresAt > this.now ? register : null;
  }

  /** Nothing can have touched it yet: it must be possible to cancel or move it. */
  isWaiting(email: ModelEmail): boolean {
    return !email.isCanceled && email.scheduledAt > this.now;
  }

  rescheduled(email: ModelEmail, at: number): void {
    email.scheduledAt = at;
    const { register } = email;
    // Expired is expired: what the key named may be moved, the key does not come back.
    if (!register || register.expiresAt <= this.now) return;
    const times = register.ids.map((id) => this.emails.get(id)?.scheduledAt ?? 0);
    register.expiresAt = Math.max(register.createdAt, ...times) + lifetimeMs;
  }
}

/** The key's scope and name; without a key there is no register. */
function slotOf(request: ApiRequest): string {
  return `${request.path} ${request.key}`;
}

/** When each message is due; null where that is at once. */
function schedulesOf(request: ApiRequest): (number | null)[] {
  const payloads = Array.isArray(request.payload) ? request.payload : [request.payload];
  return payloads.map(({ scheduled_at: at }) => (typeof at === 'string' ? Date.parse(at) : null));
}

function idsOf(reply: ApiReply): string[] {
  const json = JSON.parse(reply.text) as { id?: string; data?: { id: string }[] };
  return json.data ? json.data.map((one) => one.id) : [json.id ?? ''];
}
