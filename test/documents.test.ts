/** Documents as a test: what they list is what there is, their links lead somewhere, and their first commands work as printed. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { usageOf } from '../src/command/usage.ts';
import { settingNames } from '../src/config/settings.ts';
import { filters } from '../src/render/template/filters.ts';
import { startTestServer, testKey } from './support/server.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const within = (folder: string) => readdirSync(join(root, folder)).filter((name) => name.endsWith('.md'));

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...within('docs').map((name) => `docs/${name}`),
  ...within('docs/decisions').map((name) => `docs/decisions/${name}`),
];

const withoutCode = (text: string) => text.replace(/```.*?```/gs, '');

describe('what the documents list', () => {
  it('docs/settings.md: every setting there is, and none that is not', () => {
    const listed = [...read('docs/settings.md').matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell]) => [
      ...(cell ?? '').matchAll(/`(\w+)`/g),
    ]);
    assert.deepEqual(listed.map(([, name]) => name).sort(), [...settingNames].sort());
  });

  it('docs/command-line.md: the help, as it is', () => {
    const [commands = ''] = usageOf(undefined).split('\nHOST\n');
    const help = commands.split('\n\n')[1] ?? '';
    assert.ok(help.includes('queue settle'));
    assert.ok(read('docs/command-line.md').includes(help), `docs/command-line.md holds this:\n${help}`);
  });

  for (const facade of ['resend', 'brevo']) {
    it(`docs/${facade}.md: every route`, () => {
      const page = read(`docs/${facade}.md`);
      const table = [...read(`src/http/${facade}/routes.ts`).matchAll(/\['(\/[^']+)', \{ ?(.*?) ?\}\]/g)];
      assert.ok(table.length >= 1);
      for (const [, path = '', handlers = ''] of table) {
        for (const [, method = ''] of handlers.matchAll(/([A-Z]+):/g)) {
          assert.ok(page.includes(`${method} ${path}`), `${method} ${path} in docs/${facade}.md`);
        }
      }
    });
  }

  it('docs/brevo.md: every filter of the template language', () => {
    const page = read('docs/brevo.md');
    const table = page.slice(page.indexOf('| filter |'), page.indexOf('**Different from Brevo.**'));
    for (const name of filters.keys()) assert.ok(table.includes(`\`${name}\``), name);
  });

  it('docs/architecture.md: every runtime dependency', () => {
    const { dependencies } = JSON.parse(read('package.json'));
    const page = read('docs/architecture.md');
    for (const name of Object.keys(dependencies)) assert.ok(page.includes(`\`${name}\``), name);
  });

  it('names scripts that exist, and all that contributors need', () => {
    const scripts = Object.keys(JSON.parse(read('package.json')).scripts);
    for (const page of pages.filter((name) => !name.includes('decisions'))) {
      const named = [...read(page).matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name);
      for (const name of named) assert.ok(scripts.includes(name), `${page}: npm run ${name}`);
    }
    const inner = /^(pre|build|start$|test$)/;
    for (const name of scripts.filter((one) => !inner.test(one)))
      assert.ok(read('CONTRIBUTING.md').includes(`npm run ${name}`), `CONTRIBUTING.md: npm run ${name}`);
  });
});

describe('the README', () => {
  it('is read in a few minutes', () => {
    assert.ok(withoutCode(read('README.md')).split(/\s+/).length <= 1_500);
  });

  it('links to every document', () => {
    const isLinked = (name: string) => read('README.md').includes(`(docs/${name})`);
    assert.deepEqual(
      within('docs').filter((name) => !isLinked(name)),
      [],
    );
  });

  it('prints requests that work', async (t) => {
    const server = await startTestServer();
    t.after(() => server.stop());
    const [curl, ...scripts] = [...read('README.md').matchAll(/```(?:bash|js)\n(.*?)```/gs)].map(([, code = '']) =>
      code.replaceAll('http://127.0.0.1:3000', server.url).replaceAll('re_…', testKey),
    );
    const body = /-d '(.*)'/.exec(curl ?? '')?.[1];
    const sent = () => server.call('POST', '/emails', body, { 'idempotency-key': 'welcome-user/123456789' });
    const { status, text } = await sent();
    assert.equal(status, 200);
    assert.equal((await sent()).text, text);
    const run = promisify(execFile);
    for (const script of scripts.filter((code) => code.startsWith('import')))
      await run(process.execPath, ['--input-type=module', '-e', script], { cwd: root });
    const { json } = await server.call('GET', '/emails?limit=10');
    // Resend's client repeats the first request.
    assert.deepEqual(json.data.map(({ subject }: { subject: string }) => subject).sort(), ['hello Ann', 'hello world']);
  });
});

describe('links', () => {
  for (const page of pages) {
    it(`of ${page} lead somewhere`, () => {
      const links = [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
      const found = links
        .filter((link) => !/^(https?|mailto):/.test(link))
        .filter((link) => !leadsSomewhere(page, link));
      assert.deepEqual(found, []);
    });
  }

  it('that lead nowhere are noticed (control)', () => {
    assert.ok(!leadsSomewhere('README.md', 'docs/nowhere.md'));
    assert.ok(!leadsSomewhere('README.md', 'docs/relays.md#nowhere'));
    assert.ok(leadsSomewhere('README.md', 'docs/relays.md#rates'));
  });
});

function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const file = path === '' ? page : join(dirname(page), path);
  if (!existsSync(join(root, file))) return false;
  return anchor === undefined || !file.endsWith('.md') || anchorsOf(read(file)).includes(anchor);
}

/** As GitHub makes them. */
function anchorsOf(text: string): string[] {
  const heads = [...withoutCode(text).matchAll(/^#+ (.*)$/gm)];
  return heads.map(([, head = '']) =>
    head
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
