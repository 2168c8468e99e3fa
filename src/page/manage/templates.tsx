/** Templates of both APIs: which there are, how each looks filled in, and publishing and deleting one. */

import { AppError } from '../../core/error.ts';
import { isUuid } from '../../core/token.ts';
import { listTemplates } from '../../store/templates.ts';
import { listVersioned } from '../../store/versioned-templates.ts';
import { framed } from '../emails/mail-view.tsx';
import { askFirst, isConfirmed } from '../frame/confirm.tsx';
import { renderManaged } from '../frame/manage.tsx';
import { Copyable, Empty, Form, Notice, State, Time } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';
import { type Filled, fillTemplate, requireTemplate, type ShownTemplate, shownVersioned } from './template-preview.ts';

const pageSize = 50;

/** Of Brevo's, which are few: what is older is in the API. */
const numberedMax = 100;

export async function templates(visit: Visit): Promise<Response> {
  const { parts, session, query } = visit;
  const after = isUuid(query.after ?? '') ? (query.after ?? null) : null;
  const page = { limit: pageSize, after, before: null };
  const { templates: versioned, hasMore } = await listVersioned(parts.database, session.account, page);
  const all = { isActive: null, limit: numberedMax, offset: 0, order: 'desc' as const };
  const numbered = after === null ? await listTemplates(parts.database, session.account, all) : [];
  const rows = [
    ...versioned.map(shownVersioned),
    ...numbered.map((one) => ({
      id: String(one.id),
      name: one.name,
      status: one.isActive ? ('active' as const) : ('inactive' as const),
      subject: one.subject,
      changedAt: one.modifiedAt,
    })),
  ];
  return renderManaged(visit, {
    title: 'Templates',
    path: '/templates',
    lead: 'Templates made through POST /templates (with an alias, drafts and versions) and POST /v3/smtp/templates (by number).',
    content: (
      <>
        {query.done === 'deleted' && <Notice tone="good">Deleted. Requests that name it are refused.</Notice>}
        {rows.length > 0 && <Rows of={rows} />}
        {rows.length === 0 && (
          <Empty title="No templates yet">
            <p>
              Create one with <code>resend.templates.create</code> or Brevo’s <code>POST /v3/smtp/templates</code>. It
              is previewed here with values you choose.
            </p>
          </Empty>
        )}
        {hasMore && (
          <a class="button" href={`/dashboard/templates?after=${versioned.at(-1)?.id}`}>
            Older
          </a>
        )}
      </>
    ),
  });
}

type RowOf = Pick<ShownTemplate, 'id' | 'name' | 'status' | 'subject' | 'changedAt'>;

function Rows({ of }: { of: RowOf[] }) {
  return (
    <section class="panel flush" aria-label="Templates">
      <ol class="rows">
        <li class="heads" aria-hidden="true">
          <span>Name</span>
          <span>Status</span>
          <span>Subject</span>
          <span>Changed</span>
        </li>
        {of.map(({ id, name, status, subject, changedAt }) => (
          <li>
            <a href={`/dashboard/templates/${id}`} data-row>
              <span>{name}</span>
              <State is={status} />
              <span class="muted">{subject || '(no subject)'}</span>
              <span class="muted small">
                <Time at={changedAt} style="short" />
              </span>
            </a>
          </li>
        ))}
      </ol>
    </section>
  );
}

export async function template(visit: Visit): Promise<Response> {
  const found = await requireTemplate(visit);
  const filled = await fillTemplate(visit, found);
  return renderManaged(visit, {
    title: found.name || 'Template',
    path: '/templates',
    lead: <State is={found.status} />,
    content: (
      <>
        {visit.query.done === 'published' && <Notice tone="good">Published. Requests get this version now.</Notice>}
        {filled.problem !== null && <Notice tone="bad">{filled.problem}</Notice>}
        <div class="columns">
          <div class="stack two-thirds">
            <Preview visit={visit} template={found} filled={filled} />
          </div>
          <div class="stack">
            <Values visit={visit} template={found} />
            <Facts template={found} />
            <Actions visit={visit} template={found} />
          </div>
        </div>
      </>
    ),
  });
}

function Facts({ template }: { template: ShownTemplate }) {
  return (
    <section class="panel">
      <dl class="facts">
        <dt>In a request</dt>
        <dd>
          <Copyable text={template.call} label="how a request names it" />
        </dd>
        <dt>From</dt>
        <dd>{template.from || 'what the request says'}</dd>
        <dt>Created</dt>
        <dd>
          <Time at={template.createdAt} />
        </dd>
        <dt>Changed</dt>
        <dd>
          <Time at={template.changedAt} />
        </dd>
      </dl>
      {template.status === 'changed' && (
        <p class="muted small">The draft is shown. Requests get the version that was published before it.</p>
      )}
    </section>
  );
}

/** Asked for again with these: a preview that can be sent to somebody. */
function Values({ visit, template }: { visit: Visit; template: ShownTemplate }) {
  const isPlaced = template.language === 'placeholders';
  if (isPlaced && template.variables.length === 0) return null;
  return (
    <section class="panel">
      <h2>Try values</h2>
      <form class="stack" action={`/dashboard/templates/${template.id}`}>
        {template.variables.map(({ name, value }) => (
          <>
            <label for={`v.${name}`}>{name}</label>
            <input id={`v.${name}`} name={`v.${name}`} value={visit.query[`v.${name}`] ?? ''} placeholder={value} />
          </>
        ))}
        {!isPlaced && (
          <>
            <label for="params">params (JSON)</label>
            <textarea id="params" name="params" rows={4} spellcheck={false} placeholder='{"name": "Ann"}'>
              {visit.query.params ?? ''}
            </textarea>
          </>
        )}
        <button type="submit" class="button">
          Preview
        </button>
      </form>
    </section>
  );
}

type PreviewOptions = { visit: Visit; template: ShownTemplate; filled: Filled };

function Preview({ visit, template, filled }: PreviewOptions) {
  const { v, ...values } = visit.query;
  const query = new URLSearchParams(values).toString();
  return (
    <section class="panel flush" aria-label="Preview">
      <div class="row spread">
        <h2>{filled.subject || '(no subject)'}</h2>
      </div>
      <iframe
        title="The template as recipients see it"
        sandbox="allow-popups allow-popups-to-escape-sandbox"
        loading="lazy"
        src={`/dashboard/templates/${template.id}/html${query === '' ? '' : `?${query}`}`}
      />
      {filled.text !== null && filled.text !== '' && (
        <pre class="wrap" tabindex={0}>
          {filled.text}
        </pre>
      )}
    </section>
  );
}

/** What the frame shows: a stranger's html, as mails are. */
export async function templateHtml(visit: Visit): Promise<Response> {
  const { html } = await fillTemplate(visit, await requireTemplate(visit));
  return framed(html, visit.query.remote === '1');
}

function Actions({ visit, template: { id, status } }: { visit: Visit; template: ShownTemplate }) {
  return (
    <div class="row">
      {(status === 'draft' || status === 'changed') && (
        <Form visit={visit} action={`/dashboard/templates/${id}/publish`}>
          <button type="submit" class="button primary">
            Publish
          </button>
        </Form>
      )}
      <Form visit={visit} action={`/dashboard/templates/${id}/delete`}>
        <button type="submit" class="button tone-bad">
          Delete
        </button>
      </Form>
    </div>
  );
}

export async function publishTemplate(visit: Visit): Promise<Response> {
  const { id } = await requireTemplate(visit);
  const published = isUuid(id) && (await visit.parts.use.versionedTemplates.publish(visit.session.account, id));
  if (!published) throw new AppError('not_found', 'No template with drafts has this ID.');
  return redirect(`/dashboard/templates/${id}?done=published`);
}

export async function removeTemplate(visit: Visit): Promise<Response> {
  const { parts, session } = visit;
  const { id, name } = await requireTemplate(visit);
  if (!isConfirmed(visit)) {
    return askFirst(visit, {
      title: `Delete “${name}”?`,
      at: '/suppressions',
      content: <p>Requests that name it are refused from then on. Emails that were accepted keep their content.</p>,
      yes: 'Delete template',
      action: `/dashboard/templates/${id}/delete`,
      fields: {},
      back: `/dashboard/templates/${id}`,
    });
  }
  if (isUuid(id)) await parts.use.versionedTemplates.remove(session.account, id);
  else if ((await parts.use.templates.remove(session.account, Number(id))) === 'active') {
    throw new AppError('not_now', 'This template is active. Deactivate it first: PUT /v3/smtp/templates/ID.');
  }
  return redirect('/dashboard/templates?done=deleted');
}
