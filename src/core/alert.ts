/** What an operator is called for, and the words for it: never a recipient, a subject or what a relay said. */

export const troubleNames = [
  'in_doubt',
  'went_back',
  'relay_rests',
  'late',
  'disk_fills',
  'webhooks_give_up',
  'account_paused',
  'mailbox_unread',
] as const;

export type TroubleName = (typeof troubleNames)[number];

/**
 * `figure`: how many, how long (in minutes), or how much (in megabytes): each trouble has one. `isOnlyKept`: where it is going on it
 * goes on, and it does not begin: another trouble tells the operator the same.
 */
export type Trouble = { name: TroubleName; figure: number; isOnlyKept?: boolean };

/** The beginning or the end of a trouble: the first change of one is its beginning, and then they take turns. */
export type Alert = Omit<Trouble, 'isOnlyKept'> & { change: number; beganAt: number; endedAt: number | null };

/** The same for the same change, whoever tells it, and however often. */
export function alertId({ name, change }: Pick<Alert, 'name' | 'change'>): string {
  return `${name}/${change}`;
}

type Words = { began: (figure: string) => string; ended: string; next: string };

const words: Record<TroubleName, Words> = {
  in_doubt: {
    began: (count) =>
      `Mail is held in doubt: of ${count === '1' ? 'one delivery nobody knows whether it' : `${count} deliveries nobody knows whether they`} left.`,
    ended: 'No mail is in doubt any more.',
    next: 'Look at /dashboard/in-doubt or `sendonce queue`, ask your relay, and answer.',
  },
  went_back: {
    began: (count) =>
      `The database went back in time (a backup was restored, or a standby promoted): ${count} deliveries may have left already, and are held.`,
    ended: 'What was held because the database went back in time is settled.',
    next: 'Look at `sendonce queue`, then answer with `sendonce queue settle EMAIL|all sent|send-again|abandon`.',
  },
  relay_rests: {
    began: (minutes) =>
      `The relay has taken no mail for ${minutes} min: it cannot be reached, or turns us away. Mail waits.`,
    ended: 'The relay takes mail again.',
    next: '`sendonce doctor` says why.',
  },
  late: {
    began: (minutes) => `Mail that is due has waited for ${minutes} min.`,
    ended: 'No mail that is due waits any more.',
    next: 'Is a worker running (ROLE=worker or all)? The page shows what waits, /metrics how fast it leaves.',
  },
  disk_fills: {
    began: (megabytes) =>
      `The disk of the database has ${megabytes} MB left. When it is full nothing is accepted any more; nothing is lost.`,
    ended: 'The disk of the database has room again.',
    next: 'Make room, set RETENTION_DAYS, or move the database.',
  },
  webhooks_give_up: {
    began: (count) =>
      `${count === '1' ? 'One webhook has failed for days and is disabled: it is' : `${count} webhooks have failed for days and are disabled: they are`} told nothing.`,
    ended: 'No webhook is disabled for failing any more.',
    next: 'Mend the endpoint, then enable it on the page: what waited is told then.',
  },
  mailbox_unread: {
    began: (minutes) =>
      `The mailbox that bounces come to could not be read for ${minutes} min: what has bounced is not known yet.`,
    ended: 'The mailbox that bounces come to is read again.',
    next: '`sendonce doctor` says why. What came meanwhile is taken once it can be read.',
  },
  account_paused: {
    began: (count) =>
      `Too much mail came back: ${count === '1' ? 'one account is' : `${count} accounts are`} paused. What is sent there is accepted, and waits.`,
    ended: 'No account is paused any more.',
    next: '`sendonce account list` shows which. Look at what they send, then `sendonce account enable NAME`, or `cancel NAME`.',
  },
};

export function titleOf(alert: Alert): string {
  const { began, ended } = words[alert.name];
  return alert.endedAt === null ? began(alert.figure.toLocaleString('en-US')) : ended;
}

/** Null where it is over. */
export function nextOf({ name, endedAt }: Alert): string | null {
  return endedAt === null ? words[name].next : null;
}
