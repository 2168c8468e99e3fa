/** How a relay may be: the sink's scripts with how often they come, and what each leaves the client to know. */

import type { Random } from '../support/random.ts';
import { type Act, type Mode, modes } from '../support/smtp-sink-modes.ts';
import { pause } from './load.ts';

/** What the dot was answered, as far as the client can know: `unclear` leaves it in doubt, whatever was done. */
export type Said = 'yes' | 'later' | 'no' | 'unclear';

export type Mood = {
  name: string;
  /** Out of the sum of all. */
  weight: number;
  said: Said;
  mode: (random: Random) => Mode;
};

/** Dots that wait for their answer. */
export type Thinking = Set<object>;

const plain = (name: keyof typeof modes, weight: number, said: Said): Mood => ({
  name,
  weight,
  said,
  mode: () => ({ ...modes[name] }),
});

/** Ten minutes of the lab's clock are three seconds; this is a little more, and less than what the rest of a life takes. */
const lateMs = 3_600;

export function createMoods(thinking: Thinking): Mood[] {
  const thinks = (name: string, weight: number, mostMs: number, leastMs = 1): Mood => ({
    name,
    weight,
    said: 'yes',
    mode: (random) => {
      // Where its client dies meanwhile, the mail is kept or dropped: nobody will ever be told which.
      const dot: Act = { accept: true, acceptIfGone: random() < 0.5 };
      thinking.add(dot);
      dot.when = pause(leastMs + random() * mostMs).then(() => void thinking.delete(dot));
      return { dot };
    },
  });
  return [
    plain('accept', 30, 'yes'),
    thinks('thinks', 12, 60),
    thinks('answersLate', 1, 1_000, lateMs),
    plain('multiLine', 3, 'yes'),
    { name: 'slowData', weight: 3, said: 'yes', mode: () => ({ data: { when: pause(40), say: '354 at last\r\n' } }) },
    plain('dropAtMail', 3, 'later'),
    plain('deferMail', 3, 'later'),
    plain('goodbyeAtMail', 2, 'later'),
    plain('refuseMail', 1, 'no'),
    plain('dropAtData', 3, 'later'),
    plain('deferData', 2, 'later'),
    plain('refuseData', 1, 'no'),
    // The client may have let the dot go before it sees the end.
    plain('dropInside', 3, 'unclear'),
    plain('resetInside', 3, 'unclear'),
    plain('acceptThenDrop', 2, 'unclear'),
    plain('acceptThenReset', 2, 'unclear'),
    plain('dropAtDot', 2, 'unclear'),
    plain('acceptThenSilence', 1, 'unclear'),
    plain('silenceAtDot', 1, 'unclear'),
    plain('halfReply', 1, 'unclear'),
    plain('unendedReply', 1, 'unclear'),
    plain('unendedRefusal', 1, 'unclear'),
    plain('goodbyeAtDot', 2, 'later'),
    plain('deferAtDot', 4, 'later'),
    plain('refuseAtDot', 1, 'no'),
    { name: 'mixedRecipients', weight: 8, said: 'yes', mode: (random) => ({ rcpt: () => recipientReply(random) }) },
    { name: 'noRecipient', weight: 2, said: 'yes', mode: (random) => ({ rcpt: () => refusal(random) }) },
  ];
}

/** Moods in which whoever waits for it is answered: nothing is in doubt but by a kill. */
export function clearMoods(thinking: Thinking): Mood[] {
  return createMoods(thinking).filter(({ said, name }) => said !== 'unclear' && name !== 'answersLate');
}

export function pick(moods: Mood[], random: Random): Mood {
  let at = random() * moods.reduce((sum, { weight }) => sum + weight, 0);
  for (const mood of moods) {
    at -= mood.weight;
    if (at < 0) return mood;
  }
  return moods[0] as Mood;
}

function recipientReply(random: Random): string | undefined {
  return random() < 0.5 ? undefined : refusal(random);
}

function refusal(random: Random): string {
  return random() < 0.7 ? '450 4.2.1 not now' : '550 5.7.1 not here';
}
