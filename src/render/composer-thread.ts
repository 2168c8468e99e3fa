/** The thread behind `composer.ts`: composes one email after the other. */

import { parentPort } from 'node:worker_threads';
import { collectAfter } from '../collect.ts';
import { compose } from '../core/compose.ts';
import { createDkimSigners } from '../core/dkim.ts';
import { sizeOf } from '../core/pieces.ts';
import { type ComposeAnswer, type ComposeWork, largeBuffers } from './composer.ts';

parentPort?.on('message', (work: ComposeWork) => {
  const answer = answerTo(work);
  const pieces = 'made' in answer ? [answer.made.whole, answer.made.plain].flatMap((one) => one?.pieces ?? []) : [];
  // Handed over without being copied; what they were made of is nobody's then.
  parentPort?.postMessage(answer, largeBuffers(pieces));
  setImmediate(() => collectAfter(sizeOf(pieces)));
});

function answerTo({ id, email, keys, alsoPlain }: ComposeWork): ComposeAnswer {
  try {
    return { id, made: compose(email, keys && createDkimSigners(keys), alsoPlain) };
  } catch (error) {
    return { id, problem: error instanceof Error ? error.message : String(error) };
  }
}
