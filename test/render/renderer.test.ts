/** Rendering beside the serving thread: what takes too long, or needs too much, ends; what is ordinary does not wait for it. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { limits } from '../../src/config/limits.ts';
import { type Made, Renderer, type RenderLimits } from '../../src/render/renderer.ts';

/** Takes html-to-text a minute and more, and came out as 53 MB. */
const hostile = `${'<blockquote>'.repeat(252)}${'a<br>'.repeat(100_000)}`;
const ordinary = `<h1>Hello</h1>${'<p>A line of an ordinary mail.</p>'.repeat(50)}`;

/** Short beside what `hostile` takes, and long beside anything else, on a busy machine, too. */
const terms = { renderMsMax: 2_500, renderQuickMs: 50, renderQuickThreads: 1, renderSlowThreads: 2 };

describe('a renderer', () => {
  it('answers by the deadline, whatever it is given, and goes on with a thread in place of the one it has ended', async (t) => {
    const renderer = start(t);
    await begun(renderer);
    const since = performance.now();
    const made = await renderer.open('a').run('text', [ordinary, hostile, ordinary]);
    assert.deepEqual(made.map(kindOf), ['made', 'time', 'time']);
    assert.ok(performance.now() - since < 20_000);
    await begun(renderer);
  });

  it('blames nobody for a thread that has not begun by the deadline, and keeps it for the next', async (t) => {
    const renderer = start(t, { renderMsMax: 1, renderLaterMsMax: 60_000 });
    for (let time = 0; time < 3; time++)
      assert.deepEqual((await renderer.open('a').run('text', [ordinary, hostile])).map(kindOf), ['busy', 'busy']);
    assert.deepEqual((await renderer.openLater('a').run('text', [ordinary])).map(kindOf), ['made']);
  });

  it('lets nobody spend more than one deadline for all of one request', async (t) => {
    const rendering = start(t).open('a');
    await rendering.run('text', [hostile]);
    const since = performance.now();
    assert.deepEqual((await rendering.run('text', [ordinary])).map(kindOf), ['time']);
    assert.ok(performance.now() - since < 2_300);
  });

  it('makes what is ordinary beside what is hostile, for others and for the same account', async (t) => {
    const renderer = start(t, { renderMsMax: 10_000 });
    const hanging = Array.from({ length: 8 }, () => renderer.open('a').run('text', [hostile]));
    for (const account of ['b', 'a', 'b', 'a']) {
      assert.deepEqual((await renderer.open(account).run('text', [ordinary])).map(kindOf), ['made']);
    }
    await renderer.stop();
    for (const made of await Promise.all(hanging)) assert.match(String(kindOf(made[0])), /^(?:time|busy)$/);
  });

  it('ends a thread that needs too much memory, or makes too much', async (t) => {
    const small = start(t, { renderHeapMbMax: 16, renderMsMax: 20_000 });
    assert.deepEqual((await small.open('a').run('text', [hostile])).map(kindOf), ['size']);
    const short = start(t, { renderOutputCharsMax: 100, renderMsMax: 20_000 });
    assert.deepEqual((await short.open('a').run('text', [ordinary, '<p>short</p>'])).map(kindOf), ['size', 'made']);
  });

  it('gives every account its turn, however much one of them asks for', async (t) => {
    const renderer = start(t, { renderMsMax: 10_000 });
    const ended: string[] = [];
    const ask = async (account: string) => {
      await renderer.open(account).run('text', [ordinary]);
      ended.push(account);
    };
    await Promise.all([...Array.from({ length: 20 }, () => ask('a')), ask('b')]);
    assert.ok(ended.indexOf('b') < 4, `b came ${ended.indexOf('b')} places after the first`);
  });

  it('without a deadline is held up for as long as its sender likes', async (t) => {
    const renderer = start(t, { renderMsMax: 3_500 });
    const since = performance.now();
    await renderer.open('a').run('text', [hostile]);
    assert.ok(performance.now() - since > 2_800);
  });
});

/** A busy machine may take longer than a deadline to start a thread; a renderer that has none left never makes anything. */
async function begun(renderer: Renderer): Promise<void> {
  for (let tries = 1; ; tries++) {
    const [made] = await renderer.open('a').run('text', [ordinary]);
    if (kindOf(made) === 'made') return;
    assert.ok(tries < 20, `still ${kindOf(made)}`);
  }
}

function start(t: TestContext, change: Partial<RenderLimits> = {}): Renderer {
  const renderer = new Renderer({ ...limits, ...terms, ...change });
  t.after(() => renderer.stop());
  return renderer;
}

function kindOf(made: Made<unknown> | undefined): string | undefined {
  return made?.kind === 'cut' ? made.reason : made?.kind;
}
