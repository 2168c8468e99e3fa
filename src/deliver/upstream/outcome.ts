/** What came of one request to an upstream, as the outcome of an attempt. */

import type { Outcome } from '../../core/outcome.ts';
import { noReply } from '../../core/reply.ts';
import type { Answer, Asked } from './exchange.ts';
import type { Meaning } from './service.ts';

/** Of an answer's words. */
const wordsMax = 1000;

export function outcomeOf(asked: Asked, meaningOf: (answer: Answer) => Meaning): Outcome {
  switch (asked.kind) {
    case 'shut':
      return { phase: 'fenced' };
    case 'unasked':
      return { phase: 'unreached', reply: noReply(asked.error.message), ...(asked.wasGated ? {} : { isAway: true }) };
    case 'silent':
      return { phase: 'in_doubt', reason: asked.error.message };
    case 'early':
      return refusedEarly(asked.answer, meaningOf(asked.answer));
    case 'answered':
      return verdictOf(asked.answer, meaningOf(asked.answer));
    default:
      return asked satisfies never;
  }
}

/** It has not had the whole request: whatever it says, it has taken nothing. */
function refusedEarly(answer: Answer, { means }: Meaning): Outcome {
  const text = wordsOf(answer);
  if (means === 'account') return { phase: 'unreached', reply: noReply(text, 'login'), isAway: true };
  return { phase: 'unreached', reply: noReply(text) };
}

export function verdictOf(answer: Answer, meaning: Meaning): Outcome {
  const text = wordsOf(answer);
  switch (meaning.means) {
    case 'taken':
      return taken(meaning.id, answer);
    case 'refused':
      return { phase: 'verdict', reply: { text, said: { class: 'permanent', code: null, enhanced: null } } };
    case 'later':
      return { phase: 'verdict', reply: noReply(text) };
    case 'sender':
      return onlyHere(text);
    case 'account':
      return { phase: 'unreached', reply: noReply(text, 'login'), isAway: true };
    case 'unclear':
    case 'other':
      return { phase: 'in_doubt', reason: text };
    default:
      return meaning satisfies never;
  }
}

export function taken(id: string | null, { status }: Answer): Outcome {
  const text = id === null ? `${status} accepted` : `${status} accepted as ${id}`;
  return {
    phase: 'verdict',
    reply: { text, said: { class: 'ok', code: null, enhanced: null } },
    ...(id ? { id } : {}),
  };
}

export function onlyHere(reason: string): Outcome {
  return { phase: 'unreached', reply: noReply(reason), isOnlyHere: true };
}

export function wordsOf({ status, text }: Answer): string {
  const { message } = jsonOf(text);
  return `${status} ${typeof message === 'string' ? message : text}`.slice(0, wordsMax).trim();
}

export function jsonOf(text: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
