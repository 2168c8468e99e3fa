/** An operator's answer to a delivery in doubt: what SMTP cannot tell, a person has looked up at the relay. */

import type { DeliveryState } from '../core/delivery-state.ts';
import type { Database } from '../store/database.ts';
import type { DeliveryRef } from '../store/mail/deliveries.ts';
import {
  type AnsweredDoubt,
  answerDoubt,
  type DoubtAnswer,
  findInDoubt,
  findState,
  someInDoubt,
  takeAnswerBack,
} from '../store/mail/doubt.ts';

/** Where it is not settled by this answer, the state it is in: another answer, or a late verdict, came first. Null: there is none. */
export type Answered = ({ isSettled: true } & AnsweredDoubt) | { isSettled: false; state: DeliveryState | null };

/** `account` is null for an operator of the machine, who may answer for any. */
export type NamedDelivery = Omit<DeliveryRef, 'account'> & { account: string | null };

export type SettleDoubt = {
  /** `waitMs`: how long what is sent again waits, so that this answer can be taken back. */
  answer(delivery: NamedDelivery, answer: DoubtAnswer, waitMs?: number): Promise<Answered>;
  /** "Send it again" as it was given under this attempt. Not settled: somebody has claimed it since, or it is not sent again. */
  takeBack(delivery: DeliveryRef, attempt: number): Promise<Answered>;
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
    async answer(delivery, answer, waitMs = 0) {
      const answered = await database.write(async (tx): Promise<Answered> => {
        const { account, emailId, part } = delivery;
        const ref = account === null ? await findInDoubt(tx, emailId, part) : { account, emailId, part };
        if (!ref) return { isSettled: false, state: null };
        const taken = await answerDoubt(tx, ref, answer, { now: now(), waitMs });
        return taken ? { isSettled: true, ...taken } : { isSettled: false, state: await findState(tx, ref) };
      });
      if (answered.isSettled) onSettled();
      return answered;
    },

    async takeBack(ref, attempt) {
      const answered = await database.write(async (tx): Promise<Answered> => {
        const back = await takeAnswerBack(tx, ref, { attempt, now: now() });
        return back ? { isSettled: true, ...back } : { isSettled: false, state: await findState(tx, ref) };
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
          for (const one of some) if (await answerDoubt(tx, one, answer, { now: now() })) answered += 1;
          return answered;
        });
        onSettled();
      }
    },
  };
}
