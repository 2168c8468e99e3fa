/** What is typed into the search, and what an email is found by. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSearch, searchTerms } from '../../src/store/page/search-query.ts';

const conditions = (text: string) => {
  const search = parseSearch(text);
  return search?.kind === 'terms' ? search.conditions.map((one) => [one.terms.join('|'), one.isPrefix]) : search;
};

test('words are beginnings of recipients or of subject words; quotes ask for the whole', () => {
  assert.deepEqual(conditions('Ann'), [['to:ann|w:ann', true]]);
  assert.deepEqual(conditions('"Ann"'), [['to:ann|w:ann', false]]);
  assert.deepEqual(conditions('ann@ex'), [['to:ann@ex', true]]);
  assert.deepEqual(conditions('ann.lee'), [
    ['w:ann', true],
    ['w:lee', true],
  ]);
  assert.deepEqual(conditions('"two words"'), [
    ['w:two', false],
    ['w:words', false],
  ]);
});

test('fields say what is meant', () => {
  assert.deepEqual(conditions('to:Bob'), [['to:bob', true]]);
  assert.deepEqual(conditions('from:Shop@ via:Main'), [
    ['from:shop@', true],
    ['via:main', false],
  ]);
  assert.deepEqual(conditions('is:delivery-delayed'), [['is:delivery_delayed', false]]);
  assert.deepEqual(conditions('tag:kind'), [['tag:kind', true]]);
  assert.deepEqual(conditions('tag:"kind"'), [['tag:kind=', true]]);
  assert.deepEqual(conditions('tag:Kind:Welcome'), [['tag:kind=welcome', false]]);
});

test('an id is found in whatever stands around it', () => {
  const id = '01a217b7-4965-71ea-82e5-971573e8cb51';
  for (const text of [id, id.toUpperCase(), `<${id}@example.com>`, `Message-ID: <${id}@example.com>`]) {
    assert.deepEqual(parseSearch(text), { kind: 'email', id });
  }
});

test('nothing is nothing, and too much is cut', () => {
  for (const text of ['', '   ', '""', 'to:""']) assert.equal(parseSearch(text), null);
  assert.equal((conditions('a b c d e f g h i j k') as unknown[]).length, 8);
});

test('an email is found by each recipient, word and tag once, with a bound on words', () => {
  const mail = {
    from: 'Shop <Orders@Shop.example>',
    to: ['Ann <Ann@Example.com>', 'ann@example.com'],
    cc: [],
    bcc: ['bob@example.com'],
    subject: 'Re: RE: Ｆull-width ÜBER 42',
    tags: [{ name: 'Kind', value: 'A' }],
  };
  assert.deepEqual(searchTerms(mail), [
    'to:ann@example.com',
    'to:bob@example.com',
    'from:orders@shop.example',
    'w:re',
    'w:full',
    'w:width',
    'w:über',
    'w:42',
    'tag:kind=a',
  ]);
  const long = { ...mail, to: [], bcc: [], tags: [], subject: Array.from({ length: 99 }, (_, n) => `w${n}`).join(' ') };
  assert.equal(searchTerms(long).length, 25, 'the sender, and 24 words');
});
