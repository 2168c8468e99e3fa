/** The text parts of mails whose authors wrote only html: made once, before they are accepted, and stored with them. */

import type { Message } from '../core/email.ts';
import { generateText } from './html-to-text.ts';
import type { Made, Rendering } from './renderer.ts';

/**
 * Html this short is read at once: at its worst (quotes in lists in quotes) 2,000 characters take 6 ms and 4,000 some 20, and an
 * ordinary short mail takes less than a thread is asked in. So it has its text part however busy the machine is.
 */
const atOnceCharsMax = 2_000;
/** Of one request: a batch must not add up to what one mail may not take. */
const atOnceCharsTotalMax = 4_000;

/**
 * One for each message; null where its author wrote a text, wanted none, or wrote no html. Empty where none could be made in
 * time: a mail without a text part is better than none.
 */
export async function makeTextParts(
  rendering: Rendering,
  messages: readonly Pick<Message, 'html' | 'text'>[],
): Promise<(string | null)[]> {
  const htmls = messages.map(({ html, text }) => (text === null && html !== null ? html : null));
  const distinct = new Set(htmls.filter((html) => html !== null));
  const texts = makeAtOnce(distinct);
  const rest = texts.size === distinct.size ? [] : [...distinct].filter((html) => !texts.has(html));
  const made = rest.length === 0 ? [] : await rendering.run('text', rest);
  for (const [index, one] of made.entries()) texts.set(rest[index] ?? '', one);
  return htmls.map((html) => {
    const text = html === null ? null : texts.get(html);
    if (!text) return null;
    return text.kind === 'made' ? text.value : '';
  });
}

function makeAtOnce(htmls: Iterable<string>): Map<string, Made<string>> {
  const texts = new Map<string, Made<string>>();
  let chars = 0;
  for (const html of htmls) {
    if (html.length > atOnceCharsMax || chars + html.length > atOnceCharsTotalMax) continue;
    chars += html.length;
    texts.set(html, { kind: 'made', value: generateText(html) });
  }
  return texts;
}
