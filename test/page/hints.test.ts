/** What is pointed out about a mail, and what is not. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hintsAt } from '../../src/page/emails/hints.ts';

const fine = {
  subject: 'Your order',
  html: '<p>Hi <a href="https://example.com/a?b=1">there</a> <a href="mailto:a@b.c">x</a><img src="https://example.com/a.png" alt=""></p>',
  text: null as string | null,
  to: ['a@example.com'],
  cc: [],
  bcc: [],
  attachments: [] as {
    filename: string;
    contentType: string;
    contentId: string | null;
    content: Uint8Array;
    path: null;
  }[],
};
const titles = (change: Partial<typeof fine>) => hintsAt({ ...fine, ...change }).map((hint) => hint.title);

test('a mail in order has no hints', () => {
  assert.deepEqual(titles({}), []);
  assert.deepEqual(titles({ text: 'Hi there' }), []);
});

test('a missing text part, subject or value is pointed out', () => {
  assert.deepEqual(titles({ text: '' }), ['No text part']);
  assert.deepEqual(titles({ subject: ' ' }), ['No subject']);
  assert.deepEqual(titles({ subject: 'BUY IT NOW' }), ['A subject in capitals']);
  assert.deepEqual(titles({ subject: 'x'.repeat(79) }), ['A long subject']);
  assert.deepEqual(titles({ subject: 'Hello {{ name }}' }), ['An unfilled placeholder']);
});

test('links that lead nowhere, or only on this machine, are pointed out', () => {
  const link = (href: string) => titles({ html: `<a class="b" href="${href}">x</a>` });
  assert.deepEqual(link(''), ['Empty link']);
  assert.deepEqual(link('/orders/1'), ['A broken link']);
  assert.deepEqual(link('www.example.com'), ['A broken link']);
  assert.deepEqual(link('javascript:go()'), ['A link mail clients remove']);
  for (const host of ['localhost:3000', '127.0.0.1', '192.168.1.4', 'shop.local']) {
    assert.deepEqual(link(`http://${host}/x`), ['A link only you can open']);
  }
  assert.deepEqual(link('http://example.com'), ['A link without TLS']);
});

test('images that will not show, or are huge, are pointed out', () => {
  assert.deepEqual(titles({ html: '<img src="https://example.com/a.png">' }), ['Missing alt text']);
  assert.deepEqual(titles({ html: '<img alt="" src="data:image/png;base64,AA==">' }), ['Images embedded in the HTML']);
  assert.deepEqual(titles({ html: '<img alt="" src="cid:logo">' }), ['A missing image']);
  const content = new Uint8Array(2 * 1024 * 1024);
  const file = { filename: 'a.png', contentType: 'image/png', contentId: 'logo', content, path: null };
  assert.deepEqual(titles({ html: '<img alt="" src="cid:logo">', attachments: [file] }), ['A huge image']);
  assert.deepEqual(titles({ html: 'x'.repeat(103 * 1024) }), ['Gmail will clip it']);
});
