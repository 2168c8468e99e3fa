/** The models and the lab do without the same guards; the smallest model is checked wherever SPIN is. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { labGuards, models, ownGuards, unmodeled } from './models.ts';
import { checkModel, missingPrograms } from './spin.ts';

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');

test('every guard of the lab is one of a model, by the same name, or is said to be in none', () => {
  const named = [...read('test/lab/guards.ts').matchAll(/guard: ['`]([^'`]+)['`]/g)].map(([, name = '']) =>
    name.replace(/ \(\$\{act\}\)$/, ''),
  );
  assert(named.length > 10);
  assert.deepEqual(
    labGuards.map(({ guard }) => guard),
    named.filter((name) => !Object.hasOwn(unmodeled, name)),
  );
  for (const name of Object.keys(unmodeled)) assert(named.includes(name), name);
});

test('what a variant is told to do without stands in its model, and no model has a guard that no variant tries', () => {
  for (const file of new Set(models.map((one) => one.file))) {
    const text = read(`test/proof/${file}.pml`);
    const tried = [...labGuards, ...ownGuards].filter((one) => one.file === file).flatMap(({ defines }) => defines);
    const switches = [...text.matchAll(/^#ifn?def ([A-Z_]+)$/gm)].map(([, name = '']) => name);
    const worlds = ['DEATHS', 'POWER', 'BACK', 'TROUBLES', 'DEEDS', 'TRIES'];
    const known = new Set(tried.map((one) => one.replace(/=.*/, '')).filter((one) => !worlds.includes(one)));
    assert.deepEqual(new Set(switches.filter((one) => !worlds.includes(one))), known, file);
  }
});

test('the smallest model holds in every state, and not without its guard', async (t) => {
  const missing = await missingPrograms();
  if (missing.length > 0) return t.skip(`NOT CHECKED: ${missing.join(' and ')} missing; npm run model needs them`);
  const held = await checkModel({ file: 'telling', defines: [] });
  assert.equal(held.refuted, null);
  assert(held.states > 1_000);
  const [variant] = labGuards.filter(({ file }) => file === 'telling');
  assert(variant);
  const { refuted } = await checkModel(variant);
  assert.match(refuted?.by ?? '', /was_heard/);
});
