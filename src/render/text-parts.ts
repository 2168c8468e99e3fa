/** The text parts of mails whose authors wrote only html: made once, before they are accepted, and stored with them. */

import type { Message } from '../core/email.ts';
import type { Rendering } from './renderer.ts';

/**
 * One for each message; null where its author wrote a text, wanted none, or wrote no html. Empty where none could be made in
 * time: a mail without a text part is better than none.
 */
export async function makeTextParts(
  rendering: Rendering,
  messages: readonly Pick<Message, 'html' | 'text'>[],
): Promise<(string | null)[]> {
  const htmls = messages.map(({ html, text }) => (text === null && html !== null ? html : null));
  const distinct = [...new Set(htmls.filter((html) => html !== null))];
  const made = await rendering.run('text', distinct);
  const texts = new Map(distinct.map((html, index) => [html, made[index]]));
  return htmls.map((html) => {
    const text = html === null ? null : texts.get(html);
    if (!text) return null;
    return text.kind === 'made' ? text.value : '';
  });
}
