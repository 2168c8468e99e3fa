/** A template as the page shows it, whichever API keeps it, and filled in with the values somebody tries. */

import { AppError } from '../../core/error.ts';
import { isUuid } from '../../core/token.ts';
import { fillAll, scopeOf } from '../../http/brevo/fill.ts';
import { namesIn } from '../../render/template/placeholders.ts';
import { findTemplate } from '../../store/templates.ts';
import { findVersioned, type VersionedContent, type VersionedTemplate } from '../../store/versioned-templates.ts';
import type { Visit } from '../frame/visit.ts';

export type ShownTemplate = {
  id: string;
  name: string;
  /** How a request names it. */
  call: string;
  status: 'draft' | 'published' | 'changed' | 'active' | 'inactive';
  from: string;
  subject: string;
  html: string;
  text: string | null;
  createdAt: number;
  changedAt: number;
  language: 'placeholders' | 'template language';
  /** With what stands in its place where nothing is given. */
  variables: { name: string; value: string }[];
};

/** @throws AppError `not_found`, also for another account's. */
export async function requireTemplate({ parts, session, context }: Visit): Promise<ShownTemplate> {
  const id = (context.req.param('id') ?? '').toLowerCase();
  if (isUuid(id)) {
    const found = await findVersioned(parts.database, session.account, id);
    if (found) return shownVersioned(found);
  } else if (/^\d{1,9}$/.test(id)) {
    const found = await findTemplate(parts.database, session.account, Number(id));
    if (found) {
      const { name, subject, html, sender, createdAt, modifiedAt } = found;
      const from = sender.name === '' ? sender.email : `${sender.name} <${sender.email}>`;
      const said = { name, subject, html, from, text: null, createdAt, changedAt: modifiedAt };
      const status = found.isActive ? 'active' : 'inactive';
      return { ...said, id, status, call: `templateId: ${id}`, language: 'template language', variables: [] };
    }
  }
  throw new AppError('not_found', 'No template with this ID.');
}

export function shownVersioned(found: VersionedTemplate): ShownTemplate {
  const { id, alias, draft, createdAt, updatedAt } = found;
  return {
    id,
    name: draft.name,
    call: `template: { id: "${alias ?? id}" }`,
    status: statusOf(found),
    from: draft.from ?? '',
    subject: draft.subject ?? '',
    html: draft.html,
    text: draft.text,
    createdAt,
    changedAt: updatedAt,
    language: 'placeholders',
    variables: variablesOf(draft),
  };
}

function statusOf({ published, publishedVersion, draftVersion }: VersionedTemplate): ShownTemplate['status'] {
  if (published === null) return 'draft';
  return publishedVersion === draftVersion ? 'published' : 'changed';
}

function variablesOf({ variables, subject, html, text }: VersionedContent): ShownTemplate['variables'] {
  const declared = new Map(variables.map(({ key, fallback }) => [key, fallback === null ? key : String(fallback)]));
  const names = [...declared.keys(), ...[subject ?? '', html, text ?? ''].flatMap((one) => [...namesIn(one)])];
  return [...new Set(names)].map((name) => ({ name, value: declared.get(name) ?? name }));
}

export type Filled = { subject: string; html: string; text: string | null; problem: string | null };

/** What the frame and the page show. What cannot be filled in is shown as it was written, with the reason. */
export async function fillTemplate(visit: Visit, template: ShownTemplate): Promise<Filled> {
  const { subject, html, text } = template;
  const problem = (message: string): Filled => ({ subject, html, text, problem: message });
  try {
    return { text, problem: null, ...(await textsOf(visit, template)) };
  } catch (error) {
    if (error instanceof AppError) return problem(error.message);
    throw error;
  }
}

async function textsOf(visit: Visit, template: ShownTemplate): Promise<Pick<Filled, 'subject' | 'html'>> {
  const { parts, session, query } = visit;
  const { subject, html, text } = template;
  // A person waits, and no client that would try again.
  const rendering = parts.renderer.openLater(session.account);
  if (template.language === 'template language') {
    const scope = scopeOf(paramsOf(query.params ?? ''), 'Ann Example <ann@example.com>');
    const [made] = await fillAll(rendering, [{ texts: { subject, htmlContent: html }, scope }]);
    const texts = made?.() ?? {};
    return { subject: texts.subject ?? subject, html: texts.htmlContent ?? html };
  }
  const values = Object.fromEntries(template.variables.map(({ name, value }) => [name, query[`v.${name}`] || value]));
  const placed = { texts: { subject, html, ...(text === null ? {} : { text }) }, values };
  const [made] = await rendering.run('fillPlaceholders', [placed]);
  if (made?.kind === 'refused') throw made.error;
  if (made?.kind !== 'made') throw new AppError('invalid_template', 'It takes too long to fill in.');
  return { subject, html, ...made.value };
}

function paramsOf(written: string): Record<string, unknown> {
  if (written.trim() === '') return {};
  try {
    const params: unknown = JSON.parse(written);
    if (typeof params === 'object' && params !== null && !Array.isArray(params)) return { ...params };
  } catch {}
  throw new AppError('invalid_field', 'The params must be a JSON object, such as {"name": "Ann"}.');
}
