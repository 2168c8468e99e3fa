/** Subjects and bodies are filled in with a request's params and recipient. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AppError } from '../../src/core/error.ts';
import { Filling, scopeOf } from '../../src/http/brevo/fill.ts';

describe('filling in', () => {
  const scope = scopeOf({ item: 'A & B' }, 'Jenny Doe <jenny@example.com>');

  it('shows params and the recipient, escaped in HTML and nowhere else', () => {
    const filling = new Filling();
    const source =
      '{{ params.item }} for {{ contact.NAME }}, {{ contact.EMAIL }}{{ contact.FIRSTNAME }}{{ unsubscribe }}';
    assert.equal(filling.fill('htmlContent', source, scope), 'A &amp; B for Jenny Doe, jenny@example.com');
    assert.equal(filling.fill('subject', source, scope), 'A & B for Jenny Doe, jenny@example.com');
    assert.equal(filling.fill('textContent', source, scope), 'A & B for Jenny Doe, jenny@example.com');
  });

  it('names the field whose template is wrong', () => {
    for (const field of ['subject', 'htmlContent', 'textContent'] as const) {
      assert.throws(
        () => new Filling().fill(field, 'a {{ params.x|nope }}', scope),
        (error) =>
          error instanceof AppError && error.message.startsWith(`${field} cannot be rendered: line 1, column 3`),
      );
    }
  });

  it('counts what all versions cost together', () => {
    const list = Array.from({ length: 20_000 }, (_, index) => index);
    const fillAll = (filling: Filling) => {
      for (let version = 0; version < 10; version++) {
        filling.fill(
          'htmlContent',
          '{% for n in params.list %}{{ n }}{% endfor %}',
          scopeOf({ list }, 'a@example.com'),
        );
      }
    };
    assert.throws(() => fillAll(new Filling(1)), /too much work/);
    assert.doesNotThrow(() => fillAll(new Filling(1_000)));
  });

  it('lets other requests be served between versions, where it took long', async () => {
    let served = false;
    setImmediate(() => {
      served = true;
    });
    const filling = new Filling(1_000);
    for (const until = performance.now() + 50; performance.now() < until; ) {
      filling.fill('subject', '{{ params.item }}', scope);
    }
    // Control: filling alone lets nobody.
    assert.equal(served, false);
    await filling.letOthers();
    assert.equal(served, true);
  });
});
