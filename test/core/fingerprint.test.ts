/** Which bodies count as the same request, and which have no safe canonical form. */

import assert from 'node:assert/strict';
import { createHash, hash } from 'node:crypto';
import { describe, test } from 'node:test';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { type Fingerprint, fingerprint, sameRequest } from '../../src/core/fingerprint.ts';

type Json =
  | { kind: 'object'; members: [key: string, value: Json][] }
  | { kind: 'array'; elements: Json[] }
  | { kind: 'string'; value: string }
  /** Numbers as written, and true, false, null. */
  | { kind: 'word'; text: string };

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const of = (text: string, mode = 'strict'): Fingerprint => fingerprint(bytes(text), JSON.parse(text), mode);
const hex = (hash: Uint8Array | null): string | null => (hash === null ? null : Buffer.from(hash).toString('hex'));
const canonical = (text: string): string | null => hex(of(text).canonical);
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('fingerprint', () => {
  test('is SHA-256 over one line of version, form and mode, and the body: stored ones outlive an upgrade', () => {
    const body = '{"to":"a@example.com", "from":"b@example.com"}';
    const print = of(body);
    assert.equal(hex(print.raw), sha256(`["sendonce-fingerprint",1,"raw","strict"]\n${body}`));
    const sorted = '{2:"4:from"13:b@example.com"2:to"13:a@example.com';
    assert.equal(hex(print.canonical), sha256(`["sendonce-fingerprint",1,"canonical","strict"]\n${sorted}`));
  });

  test('has the same canonical form for two values exactly where RFC 8785 has', () => {
    const small = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom('', 'a', 'ab', '1', '1:a', '"1:a', ';', '[', '{1:', null, true, false, 0, -0, 1, 11, 1.5, 1e-7),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom('a', 'b', 'ab', '1', '__proto__', '1:a'), tie('value'), { maxKeys: 3 }),
      ),
    })).value;
    const form = (value: unknown) => canonical(JSON.stringify(value));
    const reference = (value: unknown) => canonicalize(JSON.parse(JSON.stringify(value)));
    fc.assert(
      fc.property(small, small, (a, b) => {
        assert.equal(form(a) === form(b), reference(a) === reference(b));
        assert.equal(form([a, b]) === form([b, a]), reference([a, b]) === reference([b, a]));
      }),
      { numRuns: 2_000 },
    );
  });

  test('depends on the mode, in both forms', () => {
    assert.notEqual(hex(of('{}', 'strict').raw), hex(of('{}', 'permissive').raw));
    assert.notEqual(hex(of('{}', 'strict').canonical), hex(of('{}', 'permissive').canonical));
    assert.ok(!sameRequest(of('{}', 'strict'), of('{}', 'permissive')));
    // A mode cannot borrow from the body.
    assert.ok(!sameRequest(of('1', 'a'), of('1', 'a"]\n')));
  });

  test('reads a view into a larger buffer, as bodies often are', () => {
    const pool = Buffer.from('xx{"a":1}yy');
    assert.ok(sameRequest(fingerprint(pool.subarray(2, 9), { a: 1 }, 'strict'), of('{"a":1}')));
  });

  test('order of members, white space and spelling of strings never change the canonical form', () => {
    fc.assert(
      fc.property(jsonWithUniqueKeys(), fc.nat(), fc.nat(), (json, seedA, seedB) => {
        const [a, b] = [of(spell(json, seedA)), of(spell(json, seedB))];
        assert.notEqual(a.canonical, null);
        assert.equal(hex(a.canonical), hex(b.canonical));
        assert.ok(sameRequest(a, b));
      }),
      { numRuns: 150 },
    );
  });

  test('another value anywhere is another request', () => {
    fc.assert(
      fc.property(jsonWithUniqueKeys(), fc.nat(), fc.nat(), (json, leaf, seed) => {
        const changed = structuredClone(json);
        const leaves = leavesOf(changed);
        const chosen = leaves[leaf % leaves.length];
        assert.ok(chosen);
        Object.assign(chosen, { kind: 'string', value: 'changed', members: undefined, elements: undefined });
        const [a, b] = [of(spell(json, seed)), of(spell(changed, seed))];
        assert.notEqual(hex(a.canonical), hex(b.canonical));
        assert.ok(!sameRequest(a, b));
      }),
      { numRuns: 150 },
    );
  });

  test('two bodies share a canonical form exactly if they parse to the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 2 }), fc.jsonValue({ maxDepth: 2 }), (a, b) => {
        const [textA, textB] = [JSON.stringify(a), JSON.stringify(b)];
        if (canonical(textA) === null || canonical(textB) === null) return;
        const same = sortedText(JSON.parse(textA)) === sortedText(JSON.parse(textB));
        assert.equal(canonical(textA) === canonical(textB), same);
      }),
      { numRuns: 150 },
    );
  });

  test('a duplicate member anywhere, however spelled, leaves only the raw form', () => {
    fc.assert(
      fc.property(jsonWithUniqueKeys(), fc.nat(), fc.nat(), jsonWithUniqueKeys(), (json, which, seed, value) => {
        const doubled = structuredClone(json);
        const objects = objectsOf(doubled).filter((object) => object.members.length > 0);
        const object = objects[which % objects.length];
        fc.pre(object !== undefined);
        const member = object?.members[which % object.members.length];
        if (member) object?.members.push([member[0], value]);
        assert.equal(canonical(spell(doubled, seed)), null);
      }),
      { numRuns: 150 },
    );
  });

  test('whether there is a canonical form is what a slow parser says', () => {
    fc.assert(
      fc.property(anyJson(), fc.nat(), (json, seed) => {
        const text = spell(json, seed);
        assert.equal(canonical(text) !== null, hasSafeForm(text), text);
      }),
      { numRuns: 500 },
    );
  });

  const unsafe: [why: string, text: string][] = [
    ['a duplicate member', '{"a":1,"a":1}'],
    ['a duplicate through an escape', '{"a":1,"\\u0061":1}'],
    ['a duplicate deep inside', '[{"b":{"c":[{"a":1,"x":"}","a":2}]}}]'],
    ['a duplicate __proto__', '{"__proto__":1,"__proto__":2}'],
    ['a duplicate inside a value that is itself dropped', '{"a":{"b":1,"b":2},"a":3}'],
    ['a duplicate outside ASCII', '{"é":1,"\\u00e9":2}'],
    ['an integer beyond 2^53', '{"a":9007199254740993}'],
    ['2^53 itself, which 2^53 + 1 is read as', '9007199254740992'],
    ['an integer beyond 2^53 with a fraction', '[9007199254740993.0]'],
    ['an integer beyond 2^53 with an exponent', '[1e16]'],
    ['a number too large for a double', '[1e400]'],
    ['a number too small for a double', '[-1e-400]'],
    ['more digits than a double keeps', '0.1000000000000000055511151231257827'],
    ['a number of absurd length', `[1.${'0'.repeat(1_000)}]`],
    ['a lone surrogate', '{"a":"\\ud800"}'],
    ['a lone surrogate in a name', '{"\\udc00x":1}'],
    ['surrogates the wrong way round', '["\\udc00\\ud800"]'],
    ['nesting deeper than the stack', `${'['.repeat(50_000)}${']'.repeat(50_000)}`],
  ];
  for (const [why, text] of unsafe) {
    test(`${why} leaves only the raw form`, () => {
      const print = of(text);
      assert.equal(print.canonical, null);
      assert.equal(print.raw.length, 32);
      assert.ok(sameRequest(print, of(text)));
      assert.ok(!sameRequest(print, of(`${text} `)));
    });
  }

  const safe: [why: string, text: string, same: string][] = [
    ['quotes, colons and digits inside strings', '{"a":"x\\":1e999,\\\\","b":1}', '{"b":1,"a":"x\\":1e999,\\\\"}'],
    ['the same name in two objects', '[{"a":1},{"a":1}]', '[ {"a":1}, {"a":1} ]'],
    ['the largest safe integers', '[9007199254740991,-9007199254740991]', '[9007199254740991.0,-9007199254740991]'],
    ['one number in several spellings', '[150,0.1,5e-1]', '[1.5e2,1E-1,0.50]'],
    ['zero in several spellings', '[0,0.0,0e999999999999]', '[0e0,0,-0]'],
    ['the smallest double', '5e-324', '5e-324 '],
    ['names that look like array indexes', '{"10":1,"9":2}', '{"9":2,"10":1}'],
    ['a surrogate pair, escaped or not', '["\\ud83d\\ude00"]', '["😀"]'],
    ['a member called __proto__', '{"__proto__":{"a":1},"b":2}', '{"b":2,"__proto__":{"a":1}}'],
    ['a member called toJSON', '{"toJSON":1,"b":2}', '{"b":2,"toJSON":1}'],
  ];
  for (const [why, text, same] of safe) {
    test(`${why}: canonical forms agree`, () => {
      assert.notEqual(canonical(text), null);
      assert.equal(canonical(text), canonical(same));
    });
  }

  test('bytes that are not UTF-8 leave only the raw form: they all decode to the same U+FFFD', () => {
    const [a, b] = [Buffer.from('["\xff"]', 'latin1'), Buffer.from('["\xfe"]', 'latin1')];
    const [printA, printB] = [a, b].map((raw) => fingerprint(raw, JSON.parse(raw.toString('utf8')), 'strict'));
    assert.ok(printA && printB);
    assert.equal(printA.canonical, null);
    assert.ok(!sameRequest(printA, printB));
  });

  test('two requests without a canonical form are not the same for that', () => {
    assert.ok(!sameRequest(of('{"a":1,"a":1}'), of('{"b":1,"b":1}')));
  });
});

const oddKeys = ['a', 'b', 'toJSON', 'é', '"', '\\', '__proto__', '1', '10', 'length', '😀', ''];
const safeWords = [
  '0',
  '-1',
  '1.5',
  '19.99',
  '1e3',
  '-2.5E-7',
  '9007199254740991',
  '123456789.123',
  'true',
  'false',
  'null',
];
const unsafeWords = ['9007199254740993', '1e400', '1e-400', '0.1000000000000000055511151231257827', '1e22', '-1e16'];

const word = (text: string): Json => ({ kind: 'word', text });
const string = (value: string): Json => ({ kind: 'string', value });

function tree(words: fc.Arbitrary<string>, strings: fc.Arbitrary<string>, keys: fc.Arbitrary<string>, unique: boolean) {
  const member = (value: fc.Arbitrary<Json>) => fc.tuple(keys, value);
  return fc.letrec<{ node: Json }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      words.map(word),
      strings.map(string),
      fc.array(tie('node'), { maxLength: 4 }).map((elements): Json => ({ kind: 'array', elements })),
      (unique
        ? fc.uniqueArray(member(tie('node')), { maxLength: 5, selector: ([key]) => key })
        : fc.array(member(tie('node')), { maxLength: 5 })
      ).map((members): Json => ({ kind: 'object', members })),
    ),
  })).node;
}

function jsonWithUniqueKeys(): fc.Arbitrary<Json> {
  const safeNumber = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value));
  const words = fc.oneof(fc.constantFrom(...safeWords), safeNumber.filter(isSafeNumber));
  const wellFormed = fc.string({ unit: 'grapheme', maxLength: 8 });
  return tree(words, wellFormed, fc.oneof(fc.constantFrom(...oddKeys), wellFormed), true);
}

function anyJson(): fc.Arbitrary<Json> {
  const decimal = fc
    .tuple(fc.bigInt({ min: -(10n ** 19n), max: 10n ** 19n }), fc.integer({ min: -30, max: 30 }))
    .map(([digits, exponent]) => `${digits}e${exponent}`);
  const words = fc.oneof(fc.constantFrom(...safeWords, ...unsafeWords), decimal);
  const strings = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.constantFrom('\ud800', '\udc00x', '":1,', '\\"'),
  );
  const rarely = fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...safeWords) }, { weight: 1, arbitrary: words });
  const keys = fc.oneof(
    { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 3 }) },
    fc.constantFrom(...oddKeys),
  );
  return tree(rarely, fc.oneof({ weight: 5, arbitrary: fc.string() }, strings), keys, false);
}

/** Writes the value down with members, white space and escapes as the seed would have them. */
function spell(json: Json, seed: number): string {
  let state = seed | 0;
  const roll = (sides: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % sides;
  };
  const gap = (): string => ['', '', '', ' ', '\n', '\t \r\n'][roll(6)] ?? '';
  const unit = (code: number): string => {
    const surrogate = code >= 0xd800 && code <= 0xdfff;
    if (surrogate || roll(5) === 0) return `\\u${code.toString(16).padStart(4, '0')}`;
    return JSON.stringify(String.fromCharCode(code)).slice(1, -1);
  };
  const text = (value: string): string =>
    `"${value
      .split('')
      .map((c) => unit(c.charCodeAt(0)))
      .join('')}"`;
  const write = (node: Json): string => {
    if (node.kind === 'word') return node.text;
    if (node.kind === 'string') return text(node.value);
    if (node.kind === 'array') return `[${gap()}${node.elements.map((e) => gap() + write(e) + gap()).join(',')}]`;
    const members = node.members.map(([key, value]) => ({ at: roll(1000), key, value })).sort((a, b) => a.at - b.at);
    return `{${gap()}${members.map(({ key, value }) => `${gap()}${text(key)}${gap()}:${gap()}${write(value)}${gap()}`).join(',')}}`;
  };
  return gap() + write(json) + gap();
}

function childrenOf(json: Json): Json[] {
  if (json.kind === 'array') return json.elements;
  return json.kind === 'object' ? json.members.map(([, value]) => value) : [];
}

function leavesOf(json: Json): Json[] {
  const children = childrenOf(json);
  return children.length === 0 ? [json] : children.flatMap(leavesOf);
}

function objectsOf(json: Json): Extract<Json, { kind: 'object' }>[] {
  return [...(json.kind === 'object' ? [json] : []), ...childrenOf(json).flatMap(objectsOf)];
}

function sortedText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedText)}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}:${sortedText(member)}`);
  return `{${entries.sort()}}`;
}

/** The slow reference: a recursive descent parser that sees every member and compares numbers as exact fractions. */
function hasSafeForm(text: string): boolean {
  let rest = text;
  const take = (pattern: RegExp): string | null => {
    const match = pattern.exec(rest);
    if (match) rest = rest.slice(match[0].length);
    return match?.[0] ?? null;
  };
  const token = (pattern: RegExp): string | null => {
    take(/^[ \t\r\n]+/);
    const found = take(pattern);
    take(/^[ \t\r\n]+/);
    return found;
  };
  const readString = (): string | null => {
    const found = token(/^"(?:[^"\\]|\\.)*"/);
    return found === null ? null : JSON.parse(found);
  };
  const wellFormed = (value: string): boolean => Buffer.from(value).toString() === value;
  const value = (): boolean => {
    if (token(/^\[/)) return list(/^\]/, value);
    if (token(/^\{/)) {
      const names = new Set<string>();
      return list(/^\}/, () => {
        const name = readString();
        assert.ok(name !== null && token(/^:/));
        const fresh = !names.has(name) && wellFormed(name);
        names.add(name);
        return value() && fresh;
      });
    }
    const found = readString();
    if (found !== null) return wellFormed(found);
    const number = token(/^[-0-9][-+.0-9eE]*/);
    return number === null ? token(/^(true|false|null)/) !== null : isSafeNumber(number);
  };
  const list = (end: RegExp, element: () => boolean): boolean => {
    let safe = true;
    while (!token(end)) {
      safe = element() && safe;
      token(/^,/);
      if (!safe) return false;
    }
    return safe;
  };
  return value();
}

/** numerator / denominator of the text and of what JSON.parse makes of it. */
function isSafeNumber(text: string): boolean {
  const parsed = Number(text);
  if (!Number.isFinite(parsed) || Math.abs(parsed) > 1e30) return false;
  if (Number.isInteger(parsed) && Math.abs(parsed) > 2 ** 53 - 1) return false;
  const [a, b] = [fraction(text), fraction(String(parsed))];
  return a.numerator * b.denominator === b.numerator * a.denominator;
}

function fraction(text: string): { numerator: bigint; denominator: bigint } {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const [integer = '', decimals = ''] = mantissa.split('.');
  const shift = Number(exponent) - decimals.length;
  const digits = BigInt(integer + decimals);
  if (shift >= 0) return { numerator: digits * 10n ** BigInt(shift), denominator: 1n };
  return { numerator: digits, denominator: 10n ** BigInt(-shift) };
}

describe('a body longer than what is hashed at once', () => {
  const wide = '🎉'.repeat(100_000);
  const body = (odd: string) => JSON.stringify({ a: odd + wide, b: [wide, 1.5, null] });
  const of = (text: string) => fingerprint(Buffer.from(text), JSON.parse(text), '');

  test('has the fingerprint of its whole text, wherever it is cut', () => {
    for (const odd of ['', 'x']) {
      const text = body(odd);
      const prefix = (form: string) => `${JSON.stringify(['sendonce-fingerprint', 1, form, ''])}\n`;
      const sha = (content: string) => hash('sha256', content, 'hex');
      const string = (value: string) => `"${value.length}:${value}`;
      const canonical = `{2:${string('a')}${string(odd + wide)}${string('b')}[3:${string(wide)}#1.5;null;`;
      const { raw, canonical: made } = of(text);
      assert.equal(Buffer.from(raw).toString('hex'), sha(prefix('raw') + text));
      assert.equal(Buffer.from(made ?? []).toString('hex'), sha(prefix('canonical') + canonical));
    }
  });

  test('has no canonical form where it is a file as an array of bytes: the bytes of the request decide', () => {
    assert.equal(of(`[${'7,'.repeat(100_001)}7]`).canonical, null);
    assert.notEqual(of(`[${'7,'.repeat(1_000)}7]`).canonical, null);
  });
});
