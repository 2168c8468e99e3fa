/** What an answer, or none, means for the rows that it is about. */

import { classify } from '../classify.ts';
import type { Operation } from './operation.ts';
import type { Settlement } from './rows.ts';

export type Judged = {
  settlements: Settlement[];
  /** How long nothing else should be asked either; null: go on. */
  pauseMs: number | null;
  /** The drain's own settings do not work, whatever the rows say. */
  trouble: string | null;
};

type Members = Record<string, unknown>;

/** Doubled with each try: soon at first, since most trouble is short. */
const backOffFirstMs = 1_000;
const backOffMaxMs = 5 * 60_000;

/** A quota may be used up until tomorrow: the drain looks now and then whether others may leave. */
const pauseMaxMs = 60_000;

/** What is wrong with the key, by Resend's names and Brevo's codes: no row is to blame. */
const keyTroubles = new Set<unknown>(['missing_api_key', 'invalid_api_key', 'restricted_api_key', 'unauthorized']);

const errorCharsMax = 500;

export async function judgeAnswer(operation: Operation, response: Response, maxMs = backOffMaxMs): Promise<Judged> {
  const copy = response.clone();
  const body = parsed(await response.text());
  const error = errorOf(response, body);
  if (isAnotherRequest(body)) {
    return { settlements: conflicting(operation, error), pauseMs: null, trouble: null };
  }
  if (isTrouble(response, body)) {
    return { settlements: later(operation, { error, cleared: true, maxMs }), pauseMs: backOffFirstMs, trouble: error };
  }
  const { outcome, retryAfterMs = null, ids = [] } = await classify(copy);
  const pauseMs = retryAfterMs === null ? null : Math.min(retryAfterMs, pauseMaxMs);
  const going = { trouble: null, pauseMs };
  switch (outcome) {
    case 'accepted':
      return {
        ...going,
        settlements: accepted(operation, body, ids) ?? later(operation, { error, cleared: false, maxMs }),
      };
    case 'refused':
      return { ...going, settlements: refused(operation, error) };
    case 'conflict':
      return { ...going, settlements: conflicting(operation, error) };
    case 'retry':
      return {
        ...going,
        settlements: later(operation, { error, cleared: response.status === 429, retryAfterMs, maxMs }),
      };
    case 'unknown':
      return { ...going, settlements: later(operation, { error, cleared: false, retryAfterMs, maxMs }) };
    default:
      return outcome satisfies never;
  }
}

/** No answer came. */
export function judgeSilence(operation: Operation, error: unknown, maxMs = backOffMaxMs): Judged {
  const cause = (error as { cause?: unknown }).cause ?? error;
  const text = cause instanceof Error ? cause.message || String((cause as { code?: unknown }).code) : String(cause);
  const settlements = later(operation, { error: text.slice(0, errorCharsMax), cleared: neverConnected(cause), maxMs });
  return { settlements, pauseMs: null, trouble: null };
}

/** It cannot even be asked. */
export function judgeUnsendable(operation: Operation, error: unknown): Judged {
  const text = (error as Error).message.slice(0, errorCharsMax);
  const settlements: Settlement[] = operation.rows.map(({ seq }) => ({
    seq,
    kind: 'parked',
    because: 'refused',
    error: text,
  }));
  return { settlements, pauseMs: null, trouble: null };
}

/** Of these nothing has left. */
const connectErrors = new Set<unknown>([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

function neverConnected(cause: unknown): boolean {
  const { code, errors } = cause as { code?: unknown; errors?: unknown };
  // Several addresses were tried.
  if (Array.isArray(errors) && errors.length > 0) return errors.every(neverConnected);
  return connectErrors.has(code);
}

/** A redirect, too: where it leads, a POST would arrive as a GET. */
function isTrouble({ status }: Response, body: unknown): boolean {
  if (status === 401 || (status >= 300 && status < 400)) return true;
  return isMembers(body) && (keyTroubles.has(body.name) || keyTroubles.has(body.code));
}

/** Brevo's word for a repeat says nothing of what was accepted; Sendonce adds a hint where that was another request. */
function isAnotherRequest(body: unknown): boolean {
  return isMembers(body) && body.code === 'duplicate_parameter' && typeof body.hint === 'string';
}

function conflicting({ rows }: Operation, error: string): Settlement[] {
  return rows.map(({ seq }) => ({ seq, kind: 'parked', because: 'conflict', error }));
}

/** Null where the answer is no API's: a page in between says 200 for anything. */
function accepted(operation: Operation, body: unknown, ids: string[]): Settlement[] | null {
  if (!isMembers(body)) return null;
  const { rows } = operation;
  if (!operation.isBatch)
    return rows.map(({ seq }) => ({ seq, kind: 'sent', emailIds: ids.length === 0 ? null : ids }));
  const leftOut = leftOutOf(body);
  const taken = rows.filter((_, index) => !leftOut.has(index));
  // Ids that are not one for each are nobody's.
  const idOf = new Map(taken.map(({ seq }, index) => [seq, ids.length === taken.length ? ids[index] : undefined]));
  return rows.map((row, index) => {
    const { seq } = row;
    if (leftOut.has(index))
      return { seq, kind: 'parked', because: 'refused', error: leftOut.get(index) ?? '', alone: true };
    const id = idOf.get(seq);
    return { seq, kind: 'sent', emailIds: id === undefined ? null : [id] };
  });
}

/** A batch that is refused as a whole is taken apart, where no earlier try of it may have been accepted. */
function refused(operation: Operation, error: string): Settlement[] {
  const { rows, isBatch } = operation;
  if (isBatch && rows.every(({ unknownSince }) => unknownSince === null)) {
    return rows.map(({ seq }) => ({ seq, kind: 'later', delayMs: 0, error, cleared: true, alone: true }));
  }
  return rows.map(({ seq }) => ({ seq, kind: 'parked', because: 'refused', error }));
}

/** What a permissive batch has left out, by its place in it. */
function leftOutOf({ errors }: Members): Map<number, string> {
  const told = Array.isArray(errors) ? errors.filter(isMembers) : [];
  return new Map(told.map(({ index, message }) => [Number(index), String(message).slice(0, errorCharsMax)]));
}

type Later = { error: string; cleared: boolean; maxMs: number; retryAfterMs?: number | null };

function later({ rows }: Operation, { error, cleared, maxMs, retryAfterMs = null }: Later): Settlement[] {
  const delayMs = Math.max(retryAfterMs ?? 0, backOffMs(rows[0]?.attempts ?? 0, maxMs));
  return rows.map(({ seq, unknownSince }) => ({
    seq,
    kind: 'later',
    delayMs,
    error,
    // An earlier try that may have been accepted still may.
    cleared: cleared && unknownSince === null,
  }));
}

function backOffMs(attempts: number, maxMs: number): number {
  const doubled = backOffFirstMs * 2 ** Math.min(attempts, 20);
  // Half of it by chance, so that what failed together is not tried together.
  return Math.min(doubled, maxMs) * (0.5 + Math.random() / 2);
}

function errorOf({ status }: Response, body: unknown): string {
  const { name, code, message } = isMembers(body) ? body : {};
  const said = [name ?? code, message].filter((one) => typeof one === 'string').join(': ');
  return `${status}${said === '' ? '' : ` ${said}`}`.slice(0, errorCharsMax);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null;
}
