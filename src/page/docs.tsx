/** The docs of the version that runs, for people and programs in front of it: `/docs`, `/docs/NAME.md` and `/llms.txt`, without a key. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { AppError } from '../core/error.ts';
import type { Door } from '../http/app.ts';
import { version } from '../version.ts';
import { Brand, Document, htmlResponse } from './frame.tsx';

type Doc = { name: string; title: string; summary: string; text: string };

const plain = { 'content-type': 'text/markdown; charset=utf-8', 'x-content-type-options': 'nosniff' };

/** Read when they are first asked for. */
export const docsDoor: Door = (app) => {
  let read: Doc[] | null = null;
  const docs = () => {
    read ??= readDocs();
    return read;
  };
  app.get('/docs', () => htmlResponse(<Index docs={docs()} />, 200));
  app.get('/docs/:name', (context) => {
    const wanted = context.req.param('name');
    const found = docs().find(({ name }) => name === wanted.replace(/\.md$/, ''));
    if (!found) throw new AppError('not_found', 'There is no such document. /docs lists those there are.');
    if (wanted.endsWith('.md')) return new Response(found.text, { headers: plain });
    return htmlResponse(<Page doc={found} />, 200);
  });
  app.get(
    '/llms.txt',
    () => new Response(llmsText(docs()), { headers: { ...plain, 'content-type': 'text/plain; charset=utf-8' } }),
  );
};

/** Beside what is compiled for the package, or a folder further up, for tests. Empty where they were not installed along. */
function readDocs(): Doc[] {
  const folder = ['../../', '../../../']
    .map((up) => new URL(up, import.meta.url))
    .find((one) => existsSync(new URL('docs/', one)));
  if (!folder) return [];
  const names = readdirSync(new URL('docs/', folder)).filter((name) => name.endsWith('.md'));
  const files = [...names.sort().map((name) => `docs/${name}`), 'CHANGELOG.md', 'README.md'];
  return files
    .filter((file) => existsSync(new URL(file, folder)))
    .map((file) => docOf(file, readFileSync(new URL(file, folder), 'utf8')));
}

function docOf(file: string, text: string): Doc {
  const name = file
    .replace(/^docs\//, '')
    .replace(/\.md$/, '')
    .toLowerCase();
  const [, title = name] = /^# (.+)$/m.exec(text) ?? [];
  const [, summary = ''] = /^# .+\n+((?:[^#\n].*\n)+)/m.exec(text) ?? [];
  return {
    name,
    title,
    summary: summary
      .replace(/\s+/g, ' ')
      .replace(/\[([^\]]+)\]\([^)]*\)/g, '$1')
      .trim(),
    text,
  };
}

/** As https://llmstxt.org has it. */
function llmsText(docs: readonly Doc[]): string {
  const lines = docs.map(({ name, title, summary }) => `- [${title}](/docs/${name}.md): ${summary}`);
  return [
    `# Sendonce ${version}`,
    '',
    '> A self-hosted email sending API that official Resend and Brevo SDKs talk to unchanged: a retried request never sends twice.',
    '',
    '## Docs',
    '',
    ...lines,
    '- [OpenAPI](/openapi.json): every route of this version',
    '',
  ].join('\n');
}

function Index({ docs }: { docs: readonly Doc[] }) {
  return (
    <Document title="Docs" theme={null}>
      <main class="stack" id="content">
        <Brand />
        <h1>Sendonce {version}</h1>
        {docs.length === 0 && <p>The docs were not installed beside this server.</p>}
        <ul class="stack">
          {docs.map(({ name, title, summary }) => (
            <li>
              <a href={`/docs/${name}`}>{title}</a>
              <p class="muted">{summary}</p>
            </li>
          ))}
          <li>
            <a href="/openapi.json">openapi.json</a>
          </li>
        </ul>
      </main>
    </Document>
  );
}

/** As it was written, which reads well. */
function Page({ doc: { name, title, text } }: { doc: Doc }) {
  return (
    <Document title={title} theme={null}>
      <main class="stack" id="content">
        <Brand />
        <p class="row">
          <a href="/docs">All docs</a>
          <a href={`/docs/${name}.md`}>As a file</a>
        </p>
        <pre class="wrap" tabindex={0}>
          {text}
        </pre>
      </main>
    </Document>
  );
}
