/** What an app wanted sent, told apart as it tells it apart, and how often each was accepted. */

import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export type Tally = {
  /** Different sends: by key, or, where there is none, by their bytes. */
  operations: number;
  once: number;
  twice: number;
  never: number;
  /** Requests that asked for something to be sent, repeated ones among them. */
  requests: number;
  keyless: number;
  /** How often each fault has struck. */
  faults: Record<string, number>;
};

export type SendRequest = { method: string; path: string; headers: IncomingHttpHeaders; body: Buffer };

export class Operations {
  /** The ids that each was accepted under. */
  readonly #accepted = new Map<string, Set<string>>();
  readonly #faults: Record<string, number> = {};
  #requests = 0;
  #keyless = 0;

  /** A name for what is asked for; null for what sends nothing. */
  nameOf({ method, path, headers, body }: SendRequest): string | null {
    if (method !== 'POST' || !/\/(?:emails|emails\/batch|smtp\/email)$/.test(path.split('?')[0] ?? '')) return null;
    const key = headers['idempotency-key'] ?? headers.idempotencykey ?? keyInBody(body);
    this.#requests += 1;
    if (!key) this.#keyless += 1;
    const name = key ? `key ${path} ${key}` : `bytes ${createHash('sha256').update(body).digest('hex')}`;
    if (!this.#accepted.has(name)) this.#accepted.set(name, new Set());
    return name;
  }

  /** What the server said to it. Another id is another email. */
  answered(name: string, status: number, body: Buffer): void {
    const id = status >= 200 && status < 300 ? idIn(body) : null;
    if (id) this.#accepted.get(name)?.add(id);
  }

  struck(fault: string): void {
    this.#faults[fault] = (this.#faults[fault] ?? 0) + 1;
  }

  tally(): Tally {
    const counts = [...this.#accepted.values()].map(({ size }) => size);
    return {
      operations: counts.length,
      once: counts.filter((count) => count === 1).length,
      twice: counts.filter((count) => count > 1).length,
      never: counts.filter((count) => count === 0).length,
      requests: this.#requests,
      keyless: this.#keyless,
      faults: { ...this.#faults },
    };
  }
}

/** Brevo's place for it: `headers.idempotencyKey`. */
function keyInBody(body: Buffer): string | null {
  const key = (parsed(body) as { headers?: { idempotencyKey?: unknown } } | null)?.headers?.idempotencyKey;
  return typeof key === 'string' ? key : null;
}

/** Of the first email it names: that of a batch stands for all of it. */
function idIn(body: Buffer): string | null {
  const answer = parsed(body) as {
    id?: string;
    messageId?: string;
    messageIds?: string[];
    data?: { id?: string }[];
  } | null;
  return answer?.id ?? answer?.messageId ?? answer?.messageIds?.[0] ?? answer?.data?.[0]?.id ?? null;
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return null;
  }
}
