/** The instance serves the docs of the version that runs, to anybody, as pages that load nothing from elsewhere. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { startTestServer } from '../support/server.ts';

const folder = new URL('../../../docs/', import.meta.url);

test('docs are there for people at /docs and for programs at /llms.txt, without a key', async (t) => {
  const server = await startTestServer();
  t.after(() => server.stop());
  const get = async (path: string) => {
    const reply = await fetch(`${server.url}${path}`);
    return { status: reply.status, headers: reply.headers, text: await reply.text() };
  };
  const [index, machine] = await Promise.all([get('/docs'), get('/llms.txt')]);
  const names = readdirSync(folder).filter((name) => name.endsWith('.md'));
  assert.ok(names.length > 5);
  for (const name of names) {
    assert.ok(index.text.includes(`href="/docs/${name.replace('.md', '')}"`), name);
    assert.ok(machine.text.includes(`(/docs/${name})`), name);
  }
  for (const path of ['/docs', '/docs/resend']) {
    const page = await get(path);
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/);
    assert.doesNotMatch(page.text, /(?:src|href)="https?:/);
  }
  const { text: retries } = await get('/docs/retries');
  assert.match(retries, /<h2 id="what-an-answer-means">What an answer means<\/h2>/);
  assert.match(retries, /<a href="#what-an-answer-means">/);
  assert.match(retries, /<th scope="col">answer<\/th>/);
  const { text: readme } = await get('/docs/readme');
  assert.match(readme, /<a href="\/docs\/operations#postgresql">operations<\/a>/, 'links stay on this server');
  assert.doesNotMatch(readme, /href="docs\/decisions/, 'and what is not here is no link');
  assert.equal((await get('/docs/resend.md')).text, readFileSync(new URL('resend.md', folder), 'utf8'));
  const missing = await get('/docs/..%2fpackage.json');
  assert.deepEqual([missing.status, missing.headers.get('content-type')], [404, 'application/json; charset=utf-8']);
});
