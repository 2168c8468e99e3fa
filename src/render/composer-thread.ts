/** The thread behind `composer.ts`: composes one email after the other. */

import { parentPort } from 'node:worker_threads';
import { compose } from '../core/compose.ts';
import { createDkimSigner } from '../core/dkim.ts';
import type { Composed, ComposeWork } from './composer.ts';

parentPort?.on('message', (work: ComposeWork) => {
  const composed = composedOf(work);
  if ('bytes' in composed) parentPort?.postMessage(composed, [composed.bytes.buffer as ArrayBuffer]);
  else parentPort?.postMessage(composed);
});

function composedOf({ id, email, key }: ComposeWork): Composed {
  try {
    // Bytes of its own, which can be handed over without being copied.
    return { id, bytes: new Uint8Array(compose(email, key && createDkimSigner(key))) };
  } catch (error) {
    return { id, problem: error instanceof Error ? error.message : String(error) };
  }
}
