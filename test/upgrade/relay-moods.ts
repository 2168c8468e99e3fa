/** A relay that does to each mail what the sender's name says: `busy@acme.test` is told to come back, and so on. */

import type { Context } from '../support/smtp-sink.ts';
import { type Mode, modes } from '../support/smtp-sink-modes.ts';

const moods: Record<string, Mode> = {
  ...{ busy: modes.deferMail, later: modes.deferAtDot, away: modes.dropAtMail },
  ...{ spam: modes.refuseAtDot, doubt: modes.acceptThenDrop, lost: modes.dropAtDot, twice: modes.deferAtDot },
  // A worker that never hears more of it: before its gate, and behind it.
  stuck: { mail: { leave: 'silence' } },
  silent: modes.acceptThenSilence,
};

/** What a sender's first mail meets, where its later ones meet something else. */
const first: Record<string, Mode> = { once: modes.acceptThenDrop, twice: modes.dropAtDot };

/** Counts the transactions of each sender's name. */
export function createMoods() {
  const transactions = new Map<string, number>();
  const behave = ({ from }: Context): Mode => {
    const [name = ''] = from.split('@');
    const count = (transactions.get(name) ?? 0) + 1;
    transactions.set(name, count);
    return { ...((count === 1 && first[name]) || moods[name]), rcpt: answerTo };
  };
  return { behave, transactionsOf: (name: string) => transactions.get(name) ?? 0 };
}

function answerTo(address: string): string | undefined {
  if (address.startsWith('gone')) return `550 5.1.1 <${address}>: no such mailbox here`;
  if (address.startsWith('full')) return `452 4.2.2 <${address}>: mailbox full`;
  return undefined;
}
