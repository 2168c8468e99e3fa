/** One function per operational fact; never a recipient, a subject, a key or a secret. */

import pino from 'pino';
import type { DeliveryRef } from './store/mail/deliveries.ts';

/** Silent until a server starts: tests and the command line do not log. */
let out: pino.Logger = pino({ level: 'silent' });
let destination: ReturnType<typeof pino.destination> | null = null;

export function startLog(level: string): void {
  destination = pino.destination({ fd: 1, sync: false });
  out = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

/** What must not be lost leaves before anything else happens: whoever dies next would take it along. */
function flushed(): void {
  destination?.flushSync();
}

/** A request by its id and its route: what stands in a route's place holds addresses and keys. */
export type AskedFor = { request: string; method: string; path: string };

/** Deliveries are named by their ids; whom they are for stays in the database. */
function named(ref: DeliveryRef) {
  return { account: ref.account, email: ref.emailId, part: ref.part };
}

/** A relay's words are whatever it likes to say, mostly with the recipient in them; what was said in full is in the database. */
function redacted(words: string): string {
  return words.slice(0, wordsMax).replace(/[^\s<>"'@]{1,64}@[^\s<>"'@]{1,255}/g, '[address]');
}

/** Enough to know what is wrong. */
const wordsMax = 300;

export const log = {
  started: (facts: { url: string; database: string; relay: string; migrated: string[]; tookMs: number }) => {
    out.info(facts, 'started');
    if (facts.relay === 'capture') out.warn('mail is captured and nothing leaves: RELAY_URL names no relay');
  },
  closedToOthers: (paths: string[]) =>
    out.warn({ paths }, 'other users of this machine could open these until now; they are closed to them'),
  openToOthers: (paths: string[]) =>
    out.error(
      { paths },
      'other users of this machine can open these, and this one may not close them: see `sendonce doctor`',
    ),
  stopping: (signal: string) => out.info({ signal }, 'stopping: no new claims, waiting for verdicts'),
  accountPaused: (account: string) =>
    out.warn({ account }, 'too much of its mail came back: what it sends waits until it is enabled again'),
  stopped: () => out.info('stopped'),
  /** Whether requests are worth measuring at all. */
  showsRequests: () => out.isLevelEnabled('debug'),
  request: (asked: AskedFor, status: number, tookMs: number) => out.debug({ ...asked, status, tookMs }, 'request'),
  mailboxOpened: (facts: { mailbox: string; mails: number }) => out.info(facts, 'the mailbox for bounces is read'),
  mailboxFailed: ({ why, ...facts }: { mailbox: string; why: string; againInMs: number }) =>
    out.warn({ ...facts, why: redacted(why) }, 'the mailbox for bounces cannot be read now; see `sendonce doctor`'),
  mailLeft: (facts: { mailbox: string; uid: number }, error: unknown) =>
    out.error(
      { ...facts, err: error },
      'a mail in the mailbox for bounces cannot be taken: it is left there, unmarked',
    ),
  mailConnectionFailed: (why: string) => out.debug({ why }, 'a connection over SMTP ended early'),
  /** What came was no HTTP; `request` is what its answer calls it. */
  unreadable: (request: string, code: string) => out.debug({ request, code }, 'what came is no request'),
  requestFailed: (asked: AskedFor, error: unknown) =>
    out.error({ ...asked, err: error }, 'a request failed in a way that should not happen'),
  unavailable: (asked: AskedFor, error: Error) =>
    out.error({ ...asked, err: error.cause }, `a request was refused: ${error.message}`),
  wakeUpsLost: (why: string) =>
    out.warn({ why }, 'what other processes announce is not heard: their mail waits for the poll, up to a second'),
  wakeUpsBack: () => out.warn('what other processes announce is heard again'),
  wrongKeys: (address: string) =>
    out.warn(
      { address },
      'many wrong API keys came from this address, or began alike: from now on one a second is looked at',
    ),
  oddRequest: (request: string, why: string) => out.warn({ request }, why),
  conflict: (request: string, key: string, fields: string[]) =>
    out.warn({ request, key, fields }, 'a key was used again for another request'),
  requeued: (deliveries: number) => out.warn({ deliveries }, 'a process ended with claims; they are queued again'),
  inDoubt: (ref: DeliveryRef, reason: string) => {
    out.error(
      { ...named(ref), reason: redacted(reason) },
      'IN DOUBT: held until somebody decides; see `sendonce queue`',
    );
    flushed();
  },
  lateVerdict: (ref: DeliveryRef, outcome: string) =>
    out.warn({ ...named(ref), outcome }, 'the relay answered after all what was in doubt'),
  waitsForOlder: () =>
    out.warn(
      'processes of an older version serve this database: they are waited for, and then the schema is brought up to date',
    ),
  outdated: (why: string) => {
    out.error({ why }, 'a newer version has taken this database over: this process ends');
    flushed();
  },
  wentBackFound: (why: string) => {
    out.error(
      { why },
      'the database has lost what was acknowledged: what it has open is being held before anything is claimed',
    );
    flushed();
  },
  wentBack: (held: number) => {
    out.error(
      { held },
      'THE DATABASE WENT BACK IN TIME (a backup was restored, or a standby promoted?): every open delivery is held, since it may have left already; look at `sendonce queue`, then answer with `sendonce queue settle EMAIL|all sent|send-again|abandon`',
    );
    flushed();
  },
  sentAgain: (ref: DeliveryRef) => out.warn(named(ref), 'in doubt and sent again by policy: a possible duplicate'),
  leaseExpired: (ref: DeliveryRef) => out.warn(named(ref), 'a claim ran out and was taken back'),
  unreached: (ref: DeliveryRef, reason: string) =>
    out.warn({ ...named(ref), reason: redacted(reason) }, 'not handed off; will be tried again'),
  relayRests: (relay: string, reason: string) =>
    out.warn({ relay, reason: redacted(reason) }, 'a relay cannot be reached: it is asked again and again'),
  relayBack: (relay: string) => out.warn({ relay }, 'a relay can be used again: what waited for it goes now'),
  domainLooked: (domain: string, status: string) =>
    out.info({ domain, status }, 'the DNS records of a domain were looked for'),
  relaysChanged: (relays: string[]) => out.warn({ relays }, 'RELAYS_FILE was read again'),
  relaysUnchanged: (problems: string[]) =>
    out.error({ problems }, 'RELAYS_FILE was read again and does not work: everything stays as it was'),
  claimFailed: (lane: string, error: unknown) => out.error({ lane, err: error }, 'claiming failed; trying again'),
  attemptCrashed: (lane: string, error: unknown) =>
    out.error({ lane, err: error }, 'an attempt failed in a way that should not happen'),
  releaseFailed: (lane: string, error: unknown) =>
    out.error({ lane, err: error }, 'claims could not be handed back; the next start does it'),
  stopFailed: (error: unknown) => out.error({ err: error }, 'the stop was not clean'),
  settleFailed: (error: unknown) => out.error({ err: error }, 'an outcome could not be recorded; trying again'),
  alertNotTold: (name: string, why: string) =>
    out.error({ name, why }, 'ALERT_WEBHOOK did not take an alert; it is tried again in a minute'),
  noWitness: (stateDir: string) =>
    out.warn(
      { stateDir },
      'no witness of this database in STATE_DIR: where it is a restored backup, stop at once and run `sendonce queue hold`; otherwise all is well from now on',
    ),
  choreFailed: (chore: string, error: unknown) =>
    out.error({ chore, err: error }, `a chore failed, and is tried again each second: ${error}`),
  choreFailsOn: (chore: string, error: string, times: number) =>
    out.error({ chore, error, times }, 'a chore goes on failing'),
  clockJumped: (deltaMs: number) =>
    out.warn({ deltaMs }, 'the wall clock jumped: idempotency keys are kept longer until the next start'),
  webhookDisabled: (webhook: { account: string; id: string }, reason: string) =>
    out.error(
      { account: webhook.account, webhook: webhook.id, reason },
      'a webhook has failed for five days and is disabled: it is told nothing until somebody enables it',
    ),
  exportUntold: (account: string, reason: string) =>
    out.warn(
      { account, reason },
      'the link to an export of webhooks could not be told: it is made anew where it is asked for again',
    ),
  commitsHang: (cause: string) =>
    out.error(
      { cause },
      'COMMITS HANG: new work is refused with 503 until the database confirms what is written again',
    ),
  commitsGoOn: () => out.warn('commits are confirmed again'),
  commitNotFoundOut: (error: unknown) =>
    out.error(
      { err: error },
      'what became of a commit cannot be found out; no status would be true, and whoever asked is told none, or that nobody knows',
    ),
  commitUnknown: (error: unknown) => {
    out.fatal({ err: error }, 'a commit may or may not have happened; ending now, the next start reads the truth');
    flushed();
  },
};
