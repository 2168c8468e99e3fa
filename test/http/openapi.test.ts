/** `openapi.json` has every route there is, and none that is not; the copy in `docs/` is the one that is served. */

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Hono } from 'hono';
import type { Bindings, Gatekeeper } from '../../src/http/call.ts';
import { type FacadeParts, httpFacades } from '../../src/http/facades.ts';
import { openApiDocument } from '../../src/http/openapi/document.ts';
import { operations } from '../../src/http/openapi/operations.ts';
import { addOwnRoutes, type OwnParts } from '../../src/http/own/own-routes.ts';
import { takenRoutes } from '../../src/http/route-table.ts';
import { startTestServer } from '../support/server.ts';

const kept = new URL('../../../docs/openapi.json', import.meta.url);

/** `SENDONCE_WRITE_OPENAPI=1` writes the copy instead of holding it against what is served. */
const isWriting = process.env.SENDONCE_WRITE_OPENAPI === '1';

function routes(): string[] {
  const app = new Hono<Bindings>();
  // Nothing is asked of them here.
  addOwnRoutes(app, {} as Gatekeeper, { keys: {}, doubt: {}, accounts: {}, relays: {} } as OwnParts);
  for (const facade of httpFacades) facade.addRoutes(app, {} as Gatekeeper, {} as FacadeParts);
  const written = takenRoutes(app).filter(({ method }) => method !== 'HEAD');
  return written.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}').replace('*', '{key}')}`).sort();
}

describe('openapi.json', () => {
  test('has every route, and no other', () => {
    assert.deepEqual(Object.keys(operations).sort(), routes());
  });

  test('is kept in docs as it is served, to anybody', async (t) => {
    const document = openApiDocument();
    if (isWriting) writeFileSync(kept, `${JSON.stringify(document, null, 2)}\n`);
    assert.deepEqual(JSON.parse(readFileSync(kept, 'utf8')), document, 'SENDONCE_WRITE_OPENAPI=1 writes it anew');
    const server = await startTestServer();
    t.after(() => server.stop());
    const reply = await fetch(`${server.url}/openapi.json`);
    assert.equal(reply.headers.get('content-type'), 'application/json; charset=utf-8');
    assert.deepEqual(await reply.json(), document);
  });

  test('names only schemas that it has', () => {
    const text = JSON.stringify(openApiDocument());
    const { schemas } = (openApiDocument() as { components: { schemas: Record<string, unknown> } }).components;
    const named = Array.from(text.matchAll(/#\/components\/schemas\/(\w+)/g), ([, name = '']) => name);
    assert.deepEqual([...new Set(named)].sort(), Object.keys(schemas).sort());
  });
});
