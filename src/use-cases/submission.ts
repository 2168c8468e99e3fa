/** A submission as data: what a client asks for, under which key and on which terms, and what a facade made of it. */

import type { Email, Message, Origin } from '../core/email.ts';
import { type Fingerprint, fingerprint } from '../core/fingerprint.ts';
import type { Rendering } from '../render/renderer.ts';
import type { Transaction } from '../store/database.ts';
import type { EmailToCompare } from '../store/mail/email-to-compare.ts';

/**
 * How long the keys of an endpoint live: counted from acceptance or, with `followsSchedule`, from the scheduled time; longer where
 * an operator says so and `mayLiveLonger`.
 */
export type KeyTerms = { lifetimeMs: number; followsSchedule: boolean; mayLiveLonger?: boolean };

/** Where a facade takes submissions: together with the client's key, the name of the operation. */
export type Endpoint = {
  facade: string;
  /** Method and path. */
  name: string;
  keyTerms: KeyTerms;
  /** Names the fields in which what was stored differs from a request; null where no client is told. */
  differences: ((stored: EmailToCompare[], request: SendRequest, by: Comparing) => string[] | Promise<string[]>) | null;
};

/** What a comparison may use: the time, and what is left of the request's rendering. */
export type Comparing = { now: number; rendering: Rendering };

export type SendRequest = {
  account: string;
  /** The only domain that the caller's key may send from; null: any that the account may. */
  keyDomain: string | null;
  endpoint: Endpoint;
  /** Null: the client did not name its operation, each request is a new one. */
  key: string | null;
  body: Uint8Array;
  /** What JSON.parse made of the body. */
  json: unknown;
  /** Whatever else decides what the request means (the batch validation mode). */
  mode: string;
  /** The client's User-Agent, shown in the key's history. */
  client: string | null;
  /** Which try of one call the client says this is, from 1. */
  attempt: number | null;
  /** What the emails it makes are found by, and the trace of the client they belong to. */
  origin: Origin;
};

/** What a facade made of a valid request. */
export type Submission = {
  messages: Message[];
  /** Made of names alone, before anything is written: what this client is told, and every replay after it. */
  answer: (emails: EmailName[]) => StoredAnswer;
  /** Yields to what was sent singly. Absent: where it is several emails. */
  isBulk?: boolean;
  /** Written in the same transaction as the emails; where it throws nothing is accepted. */
  also?: (tx: Transaction) => Promise<void>;
};

/** What an email is called in answers. */
export type EmailName = Pick<Email, 'id' | 'messageId'>;

export type StoredAnswer = { status: number; body: string };

/** Enough to tell clients apart; it is kept with each of a key's last uses. */
const clientCharsMax = 200;

/** The one place where a request to send is put together, whichever door it came through. */
export function requestTo(
  endpoint: Endpoint,
  client: {
    caller: { account: string; domain?: string | null };
    userAgent: string | null;
    attempt?: string | undefined;
    requestId: string | undefined;
    traceparent: string | null;
  },
  content: Pick<SendRequest, 'key' | 'body' | 'json'> & { mode?: string },
): SendRequest {
  const { key, body, json, mode = '' } = content;
  const userAgent = client.userAgent?.slice(0, clientCharsMax) ?? null;
  const attempt = /^[1-9]\d{0,5}$/.test(client.attempt ?? '') ? Number(client.attempt) : null;
  const origin = { request: client.requestId, traceparent: client.traceparent ?? undefined };
  const { account, domain: keyDomain = null } = client.caller;
  return { account, keyDomain, endpoint, key, body, json, mode, client: userAgent, attempt, origin };
}

export function scopeOf({ facade, name }: Endpoint): string {
  return `${facade} ${name}`;
}

export function fingerprintOf({ body, json, mode }: SendRequest): Fingerprint {
  return fingerprint(body, json, mode);
}

/** A key outlives the last mail it names by its lifetime: next week's mail must not be forgotten tomorrow. */
export function keyExpiresAt(terms: KeyTerms, wantedMs: number | null, messages: Message[], now: number): number {
  const scheduled = terms.followsSchedule ? messages.map((one) => one.scheduledAt ?? now) : [];
  return Math.max(now, ...scheduled) + keyLifetimeMs(terms, wantedMs);
}

/** `wantedMs` is the operator's wish, null where there is none. */
export function keyLifetimeMs({ lifetimeMs, mayLiveLonger = false }: KeyTerms, wantedMs: number | null): number {
  return mayLiveLonger ? Math.max(lifetimeMs, wantedMs ?? 0) : lifetimeMs;
}
