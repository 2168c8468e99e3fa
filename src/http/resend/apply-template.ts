/** `template` in a send: what the template says takes its place, filled in, before the rest is read. */

import { AppError } from '../../core/error.ts';
import { isOfType, type TemplateVariable } from '../../core/template-variable.ts';
import { isUuid } from '../../core/token.ts';
import type { Made, Rendering } from '../../render/renderer.ts';
import { namesIn, type Placed } from '../../render/template/placeholders.ts';
import { tooBusy } from '../../render/too-busy.ts';
import type { Awaitable, Reader } from '../../store/database.ts';
import { findVersioned, type VersionedContent } from '../../store/versioned-templates.ts';
import type { Turn } from '../../use-cases/accept.ts';
import { type Fields, isAbsent, isFields } from '../fields.ts';
import { resendLimits } from './limits.ts';
import { invalidField } from './parse-fields.ts';

/**
 * The emails of a request without their templates; an AppError in the place of each that cannot have its own.
 * @throws AppError `unavailable` where no thread was free for it
 */
export function applyTemplates(
  reader: Reader,
  turn: Pick<Turn, 'request' | 'rendering'>,
  items: readonly unknown[],
): Awaitable<readonly unknown[]> {
  return items.some(hasTemplate) ? fillTemplates(reader, turn, items) : items;
}

async function fillTemplates(
  reader: Reader,
  { request, rendering }: Pick<Turn, 'request' | 'rendering'>,
  items: readonly unknown[],
): Promise<unknown[]> {
  const find = createFind(reader, request.account);
  const steps: Step[] = [];
  for (const item of items) steps.push(hasTemplate(item) ? await open(item, find) : { kind: 'ready', item });
  const toFill = steps.filter((one) => one.kind === 'to fill');
  const texts = await fillAll(
    rendering,
    toFill.map(({ placed }) => placed),
  );
  const made = new Map(toFill.map((one, index) => [one, texts[index]]));
  return steps.map((one) => (one.kind === 'ready' ? one.item : filled(one, made.get(one))));
}

type Templated = Fields & { template: unknown };

function hasTemplate(item: unknown): item is Templated {
  return isFields(item) && !isAbsent(item.template);
}

type ToFill = { kind: 'to fill'; fields: Fields; content: VersionedContent; placed: Placed };
type Step = { kind: 'ready'; item: unknown } | ToFill;

async function open(fields: Templated, find: Find): Promise<Step> {
  try {
    const { id, variables } = parseTemplate(fields);
    const content = await find(id);
    const texts = textsOf(fields, content);
    const values = valuesOf(content.variables, variables);
    requireAll(texts, values);
    return { kind: 'to fill', fields, content, placed: { texts, values } };
  } catch (error) {
    if (error instanceof AppError) return { kind: 'ready', item: error };
    throw error;
  }
}

function parseTemplate(fields: Templated): { id: string; variables: Fields } {
  for (const name of ['html', 'text'] as const) {
    if (!isAbsent(fields[name])) throw invalidField('template', `It cannot be used together with \`${name}\`.`);
  }
  const { template } = fields;
  if (!isFields(template) || typeof template.id !== 'string' || template.id === '') {
    throw invalidField('template', 'It must be an object with the `id` of a published template.');
  }
  const { variables } = template;
  // PHP writes an empty map as `[]`, Rust no map as null.
  if (isAbsent(variables) || (Array.isArray(variables) && variables.length === 0)) {
    return { id: template.id, variables: {} };
  }
  if (!isFields(variables)) throw invalidField('template', 'Its `variables` must be an object.');
  return { id: template.id, variables };
}

type Find = (name: string) => Promise<VersionedContent>;

/** Each template is read once, and all that is filled in is counted. */
function createFind(reader: Reader, account: string): Find {
  const known = new Map<string, VersionedContent | null>();
  let chars = 0;
  return async (name) => {
    const key = isUuid(name) ? name.toLowerCase() : name;
    if (!known.has(key)) known.set(key, (await findVersioned(reader, account, key))?.published ?? null);
    const content = known.get(key);
    if (!content) throw invalidField('template', 'There is no published template of this `id` or alias.');
    chars += content.html.length + (content.text?.length ?? 0);
    if (chars > resendLimits.templatesCharsMax) {
      throw new AppError(
        'invalid_field',
        'The templates of this batch are too large together: send fewer emails at once.',
      );
    }
    return content;
  };
}

/** What the request says itself is left as it is. */
function textsOf(fields: Fields, { subject, html, text }: VersionedContent): Record<string, string> {
  return {
    ...(isAbsent(fields.subject) && subject !== null ? { subject } : {}),
    html,
    ...(text === null ? {} : { text }),
  };
}

function valuesOf(variables: readonly TemplateVariable[], given: Fields): Record<string, string> {
  const values: [name: string, value: string][] = [];
  for (const { key, type, fallback } of variables) {
    const value = Object.hasOwn(given, key) ? given[key] : undefined;
    if (value === undefined || value === null) {
      if (fallback === null) throw missing(key);
      values.push([key, String(fallback)]);
    } else if (isOfType(value, type)) values.push([key, String(value)]);
    else throw invalidField('template', `The variable \`${key}\` must be a ${type}.`);
  }
  for (const [key, value] of Object.entries(given)) {
    if (variables.some((one) => one.key === key) || isAbsent(value)) continue;
    if (!isOfType(value, 'string') && !isOfType(value, 'number')) {
      throw invalidField('template', `The variable \`${key.slice(0, 60)}\` must be a string or a number.`);
    }
    values.push([key, String(value)]);
  }
  return Object.fromEntries(values);
}

/** Names that the server gives a value, or leaves empty. */
const given = /^(?:FIRST_NAME|LAST_NAME|EMAIL|(?:RESEND_)?UNSUBSCRIBE_URL|contact\..*)$/;

/** What stands in a text and has no value would reach its reader as a gap. */
function requireAll(texts: Record<string, string>, values: Record<string, string>): void {
  for (const name of new Set(Object.values(texts).flatMap((text) => [...namesIn(text)]))) {
    if (!Object.hasOwn(values, name) && !given.test(name)) throw missing(name);
  }
}

function missing(name: string): AppError {
  return invalidField('template', `The variable \`${name}\` is missing and has no fallback value.`);
}

type Texts = Made<Record<string, string>>;

async function fillAll(rendering: Rendering, placed: Placed[]): Promise<Texts[]> {
  const made = await rendering.run('fillPlaceholders', placed);
  if (made.some((one) => one.kind === 'cut' && one.reason === 'busy')) throw tooBusy();
  return made;
}

function filled({ fields, content }: ToFill, made: Texts | undefined): Fields | AppError {
  if (made?.kind === 'refused') return made.error;
  if (made?.kind !== 'made') return invalidField('template', 'It takes too long to fill in, or becomes too long.');
  const { template: _, ...rest } = fields;
  return {
    ...rest,
    from: isAbsent(fields.from) ? content.from : fields.from,
    reply_to: isAbsent(fields.reply_to) ? content.replyTo : fields.reply_to,
    ...made.value,
  };
}
