/** Subjects and bodies are filled in with a request's params and recipient. */

import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { limits } from '../../src/config/limits.ts';
import { AppError } from '../../src/core/error.ts';
import { fillAll, scopeOf, type Texts } from '../../src/http/brevo/fill.ts';
import { Renderer } from '../../src/render/renderer.ts';
import type { Scope } from '../../src/render/template/template.ts';

describe('filling in', () => {
  const renderer = new Renderer({ ...limits, renderMsMax: 30_000 });
  after(() => renderer.stop());
  const scope = scopeOf({ item: 'A & B' }, 'Jenny Doe <jenny@example.com>');
  const fill = async (texts: Texts, scopes: Scope[]) =>
    (
      await fillAll(
        renderer.open('a'),
        scopes.map((one) => ({ texts, scope: one })),
      )
    ).map((filled) => filled());

  it('shows params and the recipient, escaped in HTML and nowhere else', async () => {
    const source =
      '{{ params.item }} for {{ contact.NAME }}, {{ contact.EMAIL }}{{ contact.FIRSTNAME }}{{ unsubscribe }}';
    const text = 'A & B for Jenny Doe, jenny@example.com';
    assert.deepEqual(await fill({ subject: source, htmlContent: source, textContent: source }, [scope]), [
      { subject: text, htmlContent: text.replace('&', '&amp;'), textContent: text },
    ]);
    assert.deepEqual(await fill({ subject: 'as it is', htmlContent: source }, [scope]), [
      { subject: 'as it is', htmlContent: text.replace('&', '&amp;') },
    ]);
  });

  it('names the field whose template is wrong', async () => {
    for (const field of ['subject', 'htmlContent', 'textContent'] as const) {
      await assert.rejects(
        fill({ [field]: 'a {{ params.x|nope }}' }, [scope]),
        (error) =>
          error instanceof AppError && error.message.startsWith(`${field} cannot be rendered: line 1, column 3`),
      );
    }
  });

  it('counts what all versions cost together', async () => {
    const list = scopeOf({ list: Array.from({ length: 20_000 }, (_, index) => index) }, 'a@example.com');
    const texts = { htmlContent: '{% for n in params.list %}{{ n }}{% endfor %}' };
    await assert.rejects(
      fill(
        texts,
        Array.from({ length: 10 }, () => list),
      ),
      /too much work/,
    );
    // Control: as many that cost less.
    assert.equal(
      (
        await fill(
          { htmlContent: '{{ params.list.0 }}' },
          Array.from({ length: 10 }, () => list),
        )
      ).length,
      10,
    );
  });
});
