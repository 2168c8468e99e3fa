/** An operator's answer to a delivery in doubt: what SMTP cannot tell, a person has looked up at the relay. */

import type { DeliveryState } from '../core/delivery-state.ts';
import type { Database } from '../store/database.ts';
import type { DeliveryRef } from '../store/mail/deliveries.ts';
import { answerDoubt, type DoubtAnswer, findInDoubt, findState, someInDoubt } from '../store/mail/doubt.ts';

/** Where it is not settled by this answer, the state it is in: another answer, or a late verdict, came first. Null: there is none. */
export type Answered = { isSettled: true; state: DeliveryState } | { isSettled: false; state: DeliveryState | null };

/** `account` is null for an operator of the machine, who may answer for any. */
export type NamedDelivery = Omit<DeliveryRef, 'account'> & { account: string | null };

export type SettleDoubt = {
  answer(delivery: NamedDelivery, answer: DoubtAnswer): Promise<Answered>;
  /** One answer for all that are in doubt, of every account; tells how many it settled. */
  answerAll(answer: DoubtAnswer): Promise<number>;
};

export type SettleDoubtOptions = {
  database: Database;
  now: () => number;
  /** Told when something was queued again, or webhooks are to be told. */
  onSettled: () => void;
};

/** Answers one transaction records: bounds how long a running server waits. */
const settledAtOnce = 200;

export function createSettleDoubt({ database, now, onSettled }: SettleDoubtOptions): SettleDoubt {
  return {
    async answer(delivery, answer) {
      const answered = await database.write(async (tx): Promise<Answered> => {
        const { account, emailId, part } = delivery;
        const ref = account === null ? await findInDoubt(tx, emailId, part) : { account, emailId, part };
        if (!ref) return { isSettled: false, state: null };
        const state = await answerDoubt(tx, ref, answer, now());
        if (state === null) return { isSettled: false, state: await findState(tx, ref) };
        return { isSettled: true, state };
      });
      if (answered.isSettled) onSettled();
      return answered;
    },

    async answerAll(answer) {
      let settled = 0;
      for (;;) {
        const some = await someInDoubt(database, settledAtOnce);
        if (some.length === 0) return settled;
        settled += await database.write(async (tx) => {
          let answered = 0;
          for (const one of some) if ((await answerDoubt(tx, one, answer, now())) !== null) answered += 1;
          return answered;
        });
        onSettled();
      }
    },
  };
}
