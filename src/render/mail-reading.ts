/** Reading a whole mail: at once where it is small, in a renderer thread where it is not; what takes too long is not shown. */

import { type MailRead, nothingRead, readMail } from './read-mail.ts';
import { noTexts, type ReceivedTexts, type ReceivedToRead, readReceivedTexts } from './read-received.ts';
import type { Rendering } from './renderer.ts';

/** At its worst such a mail takes a few milliseconds, and an ordinary one less than a thread is asked in. */
const atOnceBytesMax = 64 * 1024;

/** Never refuses a mail: it is only shown with less. */
export async function readMailIn(rendering: Rendering, mail: Uint8Array): Promise<MailRead> {
  if (mail.length <= atOnceBytesMax) return readMail(mail);
  const [read] = await rendering.run('mail', [mail]).catch(() => []);
  return read?.kind === 'made' ? read.value : nothingRead;
}

export async function readReceivedTextsIn(rendering: Rendering, input: ReceivedToRead): Promise<ReceivedTexts> {
  if (input.mail.length <= atOnceBytesMax) return readReceivedTexts(input);
  const [read] = await rendering.run('receivedTexts', [input]).catch(() => []);
  return read?.kind === 'made' ? read.value : noTexts;
}
