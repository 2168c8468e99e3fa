/** Fills in the versions of one request: what they share is read once, what they cost is counted together. */

import { createBudget, parseTemplate, renderTemplate, type Scope, type Template } from './template.ts';
import type { Budget } from './value.ts';

/** Named as requests name them, and so named in refusals. Values are escaped in HTML only. */
export type Filled = 'subject' | 'htmlContent' | 'textContent';

/** One object for each distinct source: copied to a thread once, however many versions have it. */
export type Source = { field: Filled; text: string };

/** `request` is the same object for all versions of one request. */
export type Version = {
  request: { versions: number };
  sources: readonly Source[];
  /** As JSON: copied faster than objects are, whatever is in it. */
  scope: string;
};

type State = { budget: Budget; templates: Map<Source, Template> };

const states = new WeakMap<object, State>();

/** What the sources of a version come out as. @throws AppError `invalid_template` */
export function fill({ request, sources, scope }: Version): string[] {
  const state = stateOf(request);
  const values: Scope = JSON.parse(scope);
  return sources.map((source) => {
    const template = state.templates.get(source) ?? parseTemplate(source.text, source.field);
    state.templates.set(source, template);
    return renderTemplate(template, values, source.field === 'htmlContent' ? 'html' : 'text', state.budget);
  });
}

/** Reads a template for its faults alone. @throws AppError `invalid_template` */
export function checkTemplate({ field, text }: Source): null {
  parseTemplate(text, field);
  return null;
}

function stateOf(request: Version['request']): State {
  const known = states.get(request);
  if (known) return known;
  const made = { budget: createBudget(request.versions), templates: new Map<Source, Template>() };
  states.set(request, made);
  return made;
}
