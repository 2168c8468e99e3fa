/** Fills in subjects and bodies, a template's or a request's own: both are written in the template language. */

import { parseMailbox } from '../../core/address.ts';
import { AppError } from '../../core/error.ts';
import type { Made, Rendering } from '../../render/renderer.ts';
import type { Filled, Source } from '../../render/template/fill.ts';
import { hasTemplate, type Scope } from '../../render/template/template.ts';
import { tooBusy } from '../../render/too-busy.ts';

/** What a version says, to be filled in with what it knows. */
export type Unfilled = { texts: Readonly<Partial<Record<Filled, string>>>; scope: Scope };

/** Each field as it comes out. */
export type Texts = Partial<Record<Filled, string>>;

/**
 * One for each version, in order; calling it throws where its author is at fault, so that the first is told.
 * @throws AppError `unavailable` where no thread was free for it
 */
export async function fillAll(rendering: Rendering, versions: readonly Unfilled[]): Promise<(() => Texts)[]> {
  const request = { versions: versions.length };
  const sourceOf = createSources();
  const inputs = versions.map(({ texts, scope }) => {
    const sources = fieldsOf(texts).filter(([, text]) => hasTemplate(text));
    return { request, sources: sources.map(([field, text]) => sourceOf(field, text)), scope };
  });
  const open = inputs.filter(({ sources }) => sources.length > 0);
  const made = await rendering.run(
    'fill',
    open.map((input) => ({ ...input, scope: JSON.stringify(input.scope) })),
  );
  if (made.some(isBusy)) throw tooBusy();
  const results = new Map(open.map((input, index) => [input, made[index]]));
  return inputs.map((input, index) => () => {
    const values = outcomeOf(results.get(input)) ?? [];
    return {
      ...versions[index]?.texts,
      ...Object.fromEntries(input.sources.map(({ field }, at) => [field, values[at]])),
    };
  });
}

/** @throws AppError for a template that could not be rendered */
export async function checkTemplates(rendering: Rendering, texts: Texts): Promise<void> {
  const sources = fieldsOf(texts).filter(([, text]) => hasTemplate(text));
  const checked = await rendering.run(
    'checkTemplate',
    sources.map(([field, text]) => ({ field, text })),
  );
  if (checked.some(isBusy)) throw tooBusy();
  for (const one of checked) outcomeOf(one);
}

function fieldsOf(texts: Texts): [field: Filled, text: string][] {
  return Object.entries(texts) as [Filled, string][];
}

/** The same object for the same text: a thread copies it once. */
function createSources(): (field: Filled, text: string) => Source {
  const known = new Map<Filled, Map<string, Source>>();
  return (field, text) => {
    const ofField = known.get(field) ?? new Map<string, Source>();
    const source = ofField.get(text) ?? { field, text };
    known.set(field, ofField.set(text, source));
    return source;
  };
}

function isBusy(made: Made<unknown>): boolean {
  return made.kind === 'cut' && made.reason === 'busy';
}

function outcomeOf<T>(made: Made<T> | undefined): T | undefined {
  if (made?.kind === 'refused') throw made.error;
  if (made?.kind !== 'cut') return made?.value;
  throw new AppError(
    'invalid_template',
    made.reason === 'size'
      ? 'The template cannot be rendered: it makes too much of its params. Write fewer or shorter loops, or send less.'
      : 'The template cannot be rendered: it takes too long. Write fewer or shorter loops, or send fewer versions at once.',
  );
}

/**
 * What a template sees. There are no contacts here but the recipients: `contact.EMAIL` and `contact.NAME` are the first
 * one's, every other attribute is empty, and so are `mirror` and `unsubscribe`, whose pages there are not (docs/brevo.md).
 */
export function scopeOf(params: Readonly<Record<string, unknown>>, recipient: string): Scope {
  const { address = '', name = '' } = parseMailbox(recipient) ?? {};
  return { params, contact: { EMAIL: address, NAME: name } };
}
