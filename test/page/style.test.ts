/** The page's style and its views know each other: no rule for what is nowhere, no class without a rule. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { style } from '../../src/page/assets.ts';

const folder = fileURLToPath(new URL('../../../src/page/', import.meta.url));
const css = style.content.toString();
const script = readFileSync(join(folder, 'assets/page.js'), 'utf8');
const views = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.tsx') || name.endsWith('doc-text.ts'))
  .map((name) => readFileSync(join(folder, name), 'utf8'))
  .join('\n');
/** Every ending a class made of a tone may have. */
const tones = [...(/export type Tone = ([^;]+);/.exec(views)?.[1] ?? '').matchAll(/'(\w+)'/g)].map(([, tone]) => tone);

/** Selectors without what stands between the braces of declarations. */
function classesIn(text: string): Set<string> {
  const selectors = text.replace(/\/\*[\s\S]*?\*\//g, '').match(/[^{};]+(?=\{)/g) ?? [];
  return new Set(selectors.flatMap((one) => [...one.matchAll(/\.([a-z][\w-]*)/g)].map(([, name = '']) => name)));
}

/** What `class` and `class={…}` may come to; what ends in a tone, in every tone. */
function classesUsed(text: string): Set<string> {
  const attributes = text.matchAll(/\bclass=("[^"]*"|\{(?:[^{}]|\{[^{}]*\})*\})/g);
  const compared = /=== '[^']*'/g;
  const literals = [...attributes].flatMap(([, value = '']) =>
    [...value.replaceAll(compared, '').matchAll(/(["'`])(.*?)\1/g)].map(([, , literal = '']) => literal),
  );
  const words = literals.flatMap((one) => one.replaceAll(/\$\{[^}]*\}/g, '*').split(/\s+/)).filter(Boolean);
  return new Set(
    words.flatMap((word) => (word.endsWith('*') ? tones.map((tone) => `${word.slice(0, -1)}${tone}`) : word)),
  );
}

/** What the script gives or takes: nothing else it says between quotes is a class. */
function classesGiven(text: string): Set<string> {
  const named = text.matchAll(/classList\.(?:add|toggle|remove)\('([\w-]+)'|className = '([^']*)'/g);
  return new Set([...named].flatMap(([, one = '', several = '']) => `${one} ${several}`.split(/\s+/)).filter(Boolean));
}

function without(names: Set<string>, others: Set<string>): string[] {
  return [...names].filter((name) => !others.has(name)).sort();
}

const known = classesIn(css);
const used = classesUsed(views);
const given = classesGiven(script);

describe('the style of the page', () => {
  test('has no rule for a class that no view and no script gives', () => {
    assert.deepEqual(without(known, new Set([...used, ...given])), []);
    // Two controls: a word of nobody's, and one the script says between quotes, but not as a class.
    assert.match(script, /'submit'/);
    const withDead = classesIn(`${css} .dead > a { color: red } .submit { color: red }`);
    assert.deepEqual(without(withDead, new Set([...used, ...given])), ['dead', 'submit']);
  });

  test('has a rule for every class a view gives', () => {
    assert.ok(tones.length > 4 && used.size > 20, 'the views were read');
    assert.ok(given.size > 3, 'the script was read');
    assert.deepEqual(without(used, known), []);
    const strange = `${views} <p class="strange" /> <p class={isOdd ? 'odd' : ''} />`;
    assert.deepEqual(without(classesUsed(strange), known), ['odd', 'strange']);
  });

  test('says nothing twice: each selector stands once where it stands, and each colour has one place', () => {
    const heads = css.replace(/\/\*[\s\S]*?\*\//g, '').match(/^[^\s{}@][^{}]*(?=\{)/gm) ?? ([] as string[]);
    assert.deepEqual(
      heads.filter((one, index) => heads.indexOf(one) !== index),
      [],
    );
    const [, elsewhere = ''] = css.split('/* Elements');
    const colours = elsewhere.match(/#[0-9a-f]{3,8}\b|rgb\(|light-dark\(/g);
    assert.deepEqual(colours, ['#ffffff'], 'a mail is shown on white paper in both themes');
  });
});
