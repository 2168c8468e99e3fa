/** The text part that an author left out. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { generateText } from '../../src/render/html-to-text.ts';

describe('generateText', () => {
  it('keeps words, links and lists, and drops images', () => {
    const html =
      '<h1>Hello</h1><p>Read <a href="https://example.com/x">this</a>.<img alt="a" src="b"></p><ul><li>one<li>two</ul>';
    assert.equal(generateText(html), 'Hello\n\nRead this https://example.com/x.\n\n * one\n * two');
  });

  it('gives up on html that the library cannot read, quickly', () => {
    const start = performance.now();
    assert.equal(generateText('<ol type="i" start="1000000000"><li>x</ol>'), '');
    for (const tag of ['<div>', '<b>', '<table><tr><td>', '<blockquote>', '<ul><li>']) {
      assert.equal(generateText(`${tag.repeat(50_000)}x`), '');
    }
    assert.ok(performance.now() - start < 20_000);
  });
});
