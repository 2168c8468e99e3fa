/** What an upstream is to us: how a mail is said in its words, and what its answers mean. */

import type { IncomingHttpHeaders } from 'node:http';
import type { Email } from '../../core/email.ts';

export type Mail = { email: Email; recipients: readonly string[]; key: string };

export type Request = { path: string; headers: Record<string, string>; body: string };

/** `unspeakable`: something in it this service has no words for. */
export type Said = { request: Request } | { unspeakable: string };

/**
 * What an answer amounts to.
 * `taken`: it has the mail, under this id. `refused`: it will never take it. `sender`: it takes none from this sender; another
 * relay may. `later`: it has not taken it, and may. `account`: it takes nothing from us. `unclear`: it may have it or not. `other`:
 * under our key it has a mail that is not this one.
 */
export type Meaning =
  | { means: 'taken'; id: string | null }
  | { means: 'refused' | 'sender' | 'later' | 'account' | 'unclear' | 'other' };

export type Answered = { status: number; headers: IncomingHttpHeaders; json: Record<string, unknown> };

export interface Service {
  say(mail: Mail, apiKey: string): Said;
  read(answer: Answered): Meaning;
  /** How long after a request the same key is sure to be known, a margin taken off. */
  readonly repeatsForMs: number;
  /** How long after the gate of a process that ended its connection may still be open, where that matters. */
  readonly repeatsAfterMs: number;
  /** It looks a key up before anything else: what it refuses under one it has not taken under it before. */
  readonly looksUpFirst: boolean;
}
