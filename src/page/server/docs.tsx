/** The docs of the version that runs, for people and programs in front of it: `/docs`, `/docs/NAME.md` and `/llms.txt`, without a key. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { raw } from 'hono/html';
import { AppError } from '../../core/error.ts';
import type { Door } from '../../http/app.ts';
import { packageFolder, version } from '../../version.ts';
import { Brand, Document, htmlResponse } from '../frame/frame.tsx';
import { renderDoc } from './doc-text.ts';

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
    const names = new Set(docs().map(({ name }) => name));
    return htmlResponse(<Page doc={found} names={names} />, 200);
  });
  app.get(
    '/llms.txt',
    () => new Response(llmsText(docs()), { headers: { ...plain, 'content-type': 'text/plain; charset=utf-8' } }),
  );
};

/** Empty where they were not installed along. */
function readDocs(): Doc[] {
  const folder = packageFolder;
  if (!folder || !existsSync(new URL('docs/', folder))) return [];
  const names = readdirSync(new URL('docs/', folder)).filter((name) => name.endsWith('.md'));
  const files = ['README.md', ...names.sort().map((name) => `docs/${name}`), 'CHANGELOG.md'];
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
      .replace(/\*\*|`/g, '')
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

/** As people look for them; what is not named here comes last. */
const groups: [title: string, names: readonly string[]][] = [
  ['Start', ['readme', 'settings', 'command-line', 'glossary', 'faq']],
  ['Send', ['resend', 'brevo', 'smtp', 'sdks', 'compatibility']],
  ['Retry', ['retries', 'outbox']],
  ['Deliver', ['relays', 'bounces', 'receiving']],
  ['Operate', ['deploy', 'operations', 'security']],
  ['Understand', ['architecture', 'proof', 'performance', 'model', 'changelog']],
];

function grouped(docs: readonly Doc[]): [title: string, docs: Doc[]][] {
  const known = new Set(groups.flatMap(([, names]) => names));
  const others = docs.filter(({ name }) => !known.has(name));
  const found = groups.map(([title, names]): [string, Doc[]] => [
    title,
    names.flatMap((name) => docs.filter((doc) => doc.name === name)),
  ]);
  return [...found, ['More', others] as [string, Doc[]]].filter(([, listed]) => listed.length > 0);
}

function Index({ docs }: { docs: readonly Doc[] }) {
  return (
    <Document title="Docs" theme={null}>
      <main class="stack" id="content">
        <Brand />
        <h1>Sendonce {version}</h1>
        {docs.length === 0 && <p>The docs were not installed beside this server.</p>}
        {grouped(docs).map(([title, listed]) => (
          <section class="stack">
            <h2>{title}</h2>
            <ul class="stack">
              {listed.map(({ name, title: head, summary }) => (
                <li>
                  <a href={`/docs/${name}`}>{head}</a>
                  <p class="muted">{summary}</p>
                </li>
              ))}
            </ul>
          </section>
        ))}
        <p>
          <a href="/openapi.json">openapi.json</a>: every route of this version.
        </p>
      </main>
    </Document>
  );
}

function Page({ doc: { name, title, text }, names }: { doc: Doc; names: ReadonlySet<string> }) {
  return (
    <Document title={title} theme={null}>
      <main class="stack" id="content">
        <Brand />
        <p class="row">
          <a href="/docs">All docs</a>
          <a href={`/docs/${name}.md`}>As a file</a>
        </p>
        <article class="prose">{raw(renderDoc(text, names))}</article>
      </main>
    </Document>
  );
}
