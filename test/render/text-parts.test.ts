/** Which text parts are made at once, and which in a thread. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { limits } from '../../src/config/limits.ts';
import { Renderer } from '../../src/render/renderer.ts';
import { makeTextParts } from '../../src/render/text-parts.ts';

const ofHtml = (html: string) => ({ html, text: null });

it('a short mail has its text part when no thread is to be had, a long one goes without', async () => {
  const renderer = new Renderer(limits);
  await renderer.stop();
  const long = ofHtml(`<p>${'a long mail '.repeat(500)}</p>`);
  assert.deepEqual(await makeTextParts(renderer.open('a'), [ofHtml('<p>Hi</p>'), long]), ['Hi', '']);
});

it('a batch of short mails is not read at once altogether', async () => {
  const renderer = new Renderer(limits);
  await renderer.stop();
  const batch = Array.from({ length: 20 }, (_, index) => ofHtml(`<p>${String(index).padStart(1_500, 'x')}</p>`));
  const texts = await makeTextParts(renderer.open('a'), batch);
  assert.equal(texts.filter((text) => text !== '').length, 2);
});
