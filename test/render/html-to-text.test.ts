/** The text part that an author left out. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { generateParsed, generateText } from '../../src/render/html-to-text.ts';
import { readPlainHtml } from '../../src/render/plain-html.ts';

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

  it('reads paragraphs and headings as the parser does', () => {
    const words = [
      'a',
      'word',
      'Grüße',
      '😀',
      '\u00a0',
      '\u2028',
      '\v',
      '"q"',
      '=',
      '/',
      ' ',
      '\n',
      '\t',
      '<b>',
      '</b>',
      '</em>',
      'x'.repeat(41),
    ];
    const content = fc.array(fc.constantFrom(...words), { maxLength: 6 }).map((some) => some.join(''));
    const block = fc.tuple(fc.constantFrom('p', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6'), content);
    const html = fc.array(
      block.map(([name, inner]) => `<${name}>${inner}</${name}>`),
      { minLength: 1, maxLength: 3 },
    );
    let read = 0;
    fc.assert(
      fc.property(html, fc.constantFrom('', ' ', '\n'), (blocks, between) => {
        const text = readPlainHtml(blocks.join(between));
        if (text === null) return;
        read += 1;
        assert.equal(text, generateParsed(blocks.join(between)));
      }),
      { numRuns: 1_000 },
    );
    assert.ok(read > 300, `${read} were read`);
  });

  it('leaves to the parser what is no paragraph, has references or attributes, or has to be wrapped', () => {
    const others = [
      'bare words',
      '<p>AT&amp;T</p>',
      '<p class="a">x</p>',
      '<p>x<br>y</p>',
      '<p>x<p>y</p>',
      '<p>x</h1>',
      '<p></p>',
      '<p>a\u200bb</p>',
      `<p>${'word '.repeat(17)}</p>`,
      '<P>x</P>',
    ];
    for (const html of others) assert.equal(readPlainHtml(html), null, html);
    assert.equal(readPlainHtml('<h1>it works!</h1>'), 'it works!');
  });
});
