/** Brevo's template language: what it renders, what it refuses and where, and that no template costs more than it may. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AppError } from '../../src/core/error.ts';
import { createBudget, parseTemplate, renderTemplate } from '../../src/render/template/template.ts';

const scope = {
  params: {
    name: '<Ann & "Bob">',
    items: [
      { title: 'A & B', price: 1234.5 },
      { title: 'C', price: 2 },
    ],
    words: ['a', 'b', 'c'],
    count: 3,
    zero: 0,
    half: 40.325,
    total: 4500000.25,
    message: 'my car is RED',
    lines: 'one\ntwo',
    map: { k: 'v', j: 'w' },
    when: '2024-05-01T09:05:00+02:00',
    day: '2024-12-30',
    'a-b': 'dash',
    'two words': 'spaced',
    nothing: null,
    yes: true,
  },
  contact: { FIRSTNAME: 'emilia', FULLNAME: 'john DOE', MANAGER: 'Elisabeth' },
};

function html(source: string, values: Record<string, unknown> = scope): string {
  return renderTemplate(parseTemplate(source), values, 'html');
}

function text(source: string, values: Record<string, unknown> = scope): string {
  return renderTemplate(parseTemplate(source), values, 'text');
}

function describeTable(name: string, table: [source: string, rendered: string][]): void {
  describe(name, () => {
    for (const [source, rendered] of table) {
      it(`${JSON.stringify(source)} is ${JSON.stringify(rendered)}`, () => assert.equal(text(source), rendered));
    }
  });
}

describeTable('a value', [
  ['{{params.count}}', '3'],
  ['{{ params.items.0.title }}', 'A & B'],
  ['{{ params.items[1].title }}', 'C'],
  ['{{ params.map.k }}{{ params["two words"] }}{{ params.a-b }}', 'vspaceddash'],
  ['{{ contact.FIRSTNAME }}', 'emilia'],
  ['{{ params.words }}', '["a","b","c"]'],
  ['{{ params.yes }}', 'True'],
  ['{{ "literal" }}{{ 1.5 }}{{ -2 }}', 'literal1.5-2'],
  // Nothing is printed for what is missing, and nothing of JavaScript's is there.
  ['<{{ params.missing }}{{ params.missing.deeper.0 }}{{ missing }}{{ params.nothing }}>', '<>'],
  ['<{{ mirror }}{{ unsubscribe }}{{ update_profile }}>', '<>'],
  ['<{{ params.constructor }}{{ params.__proto__ }}{{ constructor }}{{ toString }}>', '<>'],
  ['<{{ params.words.length }}{{ params.words.size }}{{ params.words.map }}{{ params.map.first }}>', '<>'],
  ['<{{ params.items.constructor.constructor }}{{ params["constructor"] }}>', '<>'],
]);

describeTable('the filters of Brevo’s help', [
  ["Hi {{ contact.NAME|default:'there' }}", 'Hi there'],
  ["{{ contact.FIRSTNAME|default:'there' }}", 'emilia'],
  ['{{ params.message|capfirst }}', 'My car is RED'],
  ['{{ contact.FULLNAME|title }}', 'John Doe'],
  ['{{ contact.FULLNAME|upper }}', 'JOHN DOE'],
  ['{{ contact.FULLNAME|lower }}', 'john doe'],
  ['{{ contact.MANAGER|truncatechars:7 }}', 'Elisab…'],
  ['{{ contact.FIRSTNAME|title|truncatechars:4 }}', 'Emi…'],
  ['{{ params.half|floatformat:2 }}', '40.33'],
  ['{{ params.total|intcomma }}', '4,500,000.25'],
]);

describeTable('more filters', [
  ['{{ params.zero|default:"none" }}{{ params.missing|default:params.count }}', 'none3'],
  ['{{ params.zero|default_if_none:"x" }}{{ params.nothing|default_if_none:"x" }}', '0x'],
  ['{{ "joe\'s bike"|title }}', "Joe's Bike"],
  ['{{ "👩‍🚀ab"|truncatechars:4 }}', '👩‍🚀…'],
  ['{{ "one two three"|truncatewords:2 }}', 'one two …'],
  ['{{ 34.23|floatformat }} {{ 34|floatformat }} {{ 34.26|floatformat:-1 }}', '34.2 34 34.3'],
  ['{{ 34|floatformat:3 }} {{ 34.0|floatformat:"-3" }} {{ "7.5"|floatformat:0 }}', '34.000 34 8'],
  ['{{ 1.005|floatformat:2 }} {{ -2.5|floatformat:0 }} {{ -0.001|floatformat:2 }}', '1.01 -3 0.00'],
  ['{{ 1234567.891|floatformat:"2g" }} {{ "x"|floatformat:2 }}', '1,234,567.89 '],
  [
    '{{ "1234567"|intcomma }} {{ -1234|intcomma }} {{ 999|intcomma }} {{ "abc1234"|intcomma }}',
    '1,234,567 -1,234 999 abc1234',
  ],
  ['{{ params.words|length }}{{ "ü👍"|length }}{{ params.map|length }}{{ params.missing|length }}', '3220'],
  ['{{ params.words|join:", " }} {{ params.words|first }}{{ params.words|last }}{{ "xyz"|first }}', 'a, b, c acx'],
  ['{{ params.words|slice:":2"|join:"" }} {{ "hello"|slice:"-3:" }}', 'ab llo'],
  ['{{ params.count|add:2 }} {{ "a"|add:"b" }}', '5 ab'],
  ['{{ "a-b-c"|cut:"-" }} {{ "a b&c/d"|urlencode }}', 'abc a%20b%26c/d'],
  ['{{ params.count }} item{{ params.count|pluralize }}, {{ 1 }} cherr{{ 1|pluralize:"y,ies" }}', '3 items, 1 cherry'],
  ['{{ params.yes|yesno:"on,off" }} {{ params.missing|yesno:"on,off,?" }}', 'on ?'],
  ['{{ 9|divisibleby:3 }} {{ "a b  c"|wordcount }}', 'True 3'],
  ['{{ "<p>a <b>c</b></p>"|striptags }}', 'a c'],
  ['{{ params.missing|upper }}{{ params.missing|join:"," }}{{ params.missing|first }}', ''],
]);

describeTable('dates, in the zone they were written in', [
  ['{{ params.when|date:"d/m/Y H:i" }}', '01/05/2024 09:05'],
  ['{{ params.when|date:"l, jS F Y \\\\a\\\\t g:i a" }}', 'Wednesday, 1st May 2024 at 9:05 a.m.'],
  ['{{ params.when|date }} {{ params.when|time }}', 'May 1, 2024 9:05 a.m.'],
  [
    '{{ params.when|date:"c" }} {{ params.when|date:"r" }}',
    '2024-05-01T09:05:00+02:00 Wed, 01 May 2024 09:05:00 +0200',
  ],
  ['{{ params.when|date:"O e Z U" }}', '+0200 +02:00 7200 1714547100'],
  ['{{ params.day|date:"D j M y" }} {{ params.day|date:"o-W z t L" }}', 'Mon 30 Dec 24 2025-1 365 31 True'],
  ['{{ 1714547100|date:"Y-m-d" }} {{ 1714547100000|date:"Y-m-d" }}', '2024-05-01 2024-05-01'],
  // What is no date is shown as it is.
  ['{{ "next week"|date:"d/m/Y" }} {{ "2024-02-30"|date:"d" }}', 'next week 2024-02-30'],
]);

describeTable('a loop', [
  ['{% for item in params.items %}{{ forloop.counter }}:{{ item.title }} {% endfor %}', '1:A & B 2:C '],
  ['{% for w in params.words %}{{ w }}{% if not forloop.last %}, {% endif %}{% endfor %}', 'a, b, c'],
  [
    '{% for w in params.words %}{{ forloop.counter0 }}{{ forloop.revcounter }}{{ forloop.revcounter0 }}{% if forloop.first %}!{% endif %} {% endfor %}',
    '032! 121 210 ',
  ],
  ['{% for x in params.missing %}{{ x }}{% empty %}none{% endfor %}', 'none'],
  ['{% for w in params.words reversed %}{{ w }}{% endfor %}', 'cba'],
  [
    '{% for k, v in params.map %}{{ k }}={{ v }};{% endfor %}{% for k in params.map %}{{ k }}{% endfor %}',
    'k=v;j=w;kj',
  ],
  ['{% for k, v in params.map.items reversed %}{{ k }}={{ v }};{% empty %}none{% endfor %}', 'j=w;k=v;'],
  ['{% for k, v in params.items %}{{ forloop.counter }}{% endfor %}', '12'],
  ['{% for k, v in params.missing.items %}{{ k }}{% empty %}none{% endfor %}', 'none'],
  ['{% for k in params.map.items %}{{ k }}{% empty %}none{% endfor %}', 'none'],
  [
    '{% for w in params.words|slice:":2" %}{% for x in params.words %}{{ forloop.parentloop.counter }}{{ x }}{% endfor %}{% endfor %}',
    '1a1b1c2a2b2c',
  ],
  ['{% for w in params.words %}{% endfor %}<{{ w }}{{ forloop.counter }}>', '<>'],
]);

describeTable('a condition', [
  ['{% if params.count == 3 %}a{% elif params.count %}b{% else %}c{% endif %}', 'a'],
  ['{% if params.count == 4 %}a{% elif params.count %}b{% else %}c{% endif %}', 'b'],
  ['{% if params.missing %}a{% elif params.zero %}b{% else %}c{% endif %}', 'c'],
  ['{% if params.count==3 and params.words|length >= 3 and not params.missing %}y{% endif %}', 'y'],
  ['{% if params.missing or params.count > 2 and params.count < 4 %}y{% endif %}', 'y'],
  ['{% if params.count != 3 or params.count <= 2 %}y{% else %}n{% endif %}', 'n'],
  ['{% if "b" in params.words %}y{% endif %}{% if "z" not in params.words %}y{% endif %}', 'yy'],
  ['{% if "car" in params.message and "k" in params.map %}y{% endif %}', 'y'],
  ['{% if contact.FIRSTNAME|upper == "EMILIA" %}y{% endif %}', 'y'],
  ['{% if params.missing|default:"a b" == "a b" %}y{% endif %}', 'y'],
  ['{% if params.missing == None and params.yes == True and params.zero is not None %}y{% endif %}', 'y'],
  ['{% if not (params.missing or params.zero) %}y{% endif %}', 'y'],
  // A text that is a number compares as one with a number; nothing has no order.
  ['{% if "10" > 9 %}y{% endif %}{% if params.missing < 1 %}n{% endif %}{% if params.missing >= 0 %}n{% endif %}', 'y'],
]);

describeTable('comments and other tags', [
  ['a{# {{ params.nope|nope }} {% if #}b{% comment %}{{ x|nope }} {% nope %}{% endcomment %}c', 'abc'],
  ['@media{#a{color:red}}', '@media{#a{color:red}}'],
  ['{% with a=params.count|add:2 b="x y" %}{{ a }}{{ b }}{% endwith %}<{{ a }}>', '5x y<>'],
  ['{% with params.map.k as a %}{{ a }}{% endwith %}', 'v'],
  ['{% verbatim %}{{ params.count }}{% if %}{% endverbatim %}', '{{ params.count }}{% if %}'],
  ['a \n {%- if True -%} b {%- endif -%} \n c', 'abc'],
  ['no braces at all, { one } }} %} #}', 'no braces at all, { one } }} %} #}'],
]);

describe('escaping', () => {
  it('is done in HTML and not in text', () => {
    assert.equal(html('{{ params.name }}'), '&lt;Ann &amp; &quot;Bob&quot;&gt;');
    assert.equal(text('{{ params.name }}'), '<Ann & "Bob">');
  });

  it('is left out after safe, and within autoescape off', () => {
    assert.equal(html('{{ params.name|safe }}'), '<Ann & "Bob">');
    assert.equal(
      html('{% autoescape off %}{{ params.name }}{% endautoescape %}{{ params.name|slice:":1" }}'),
      '<Ann & "Bob">&lt;',
    );
    assert.equal(text('{% autoescape on %}{{ params.name|slice:":1" }}{% endautoescape %}'), '&lt;');
  });

  it('is done once, by whatever asks for it', () => {
    assert.equal(
      html('{{ params.items.0.title|escape }}{{ params.items.0.title|escape|escape }}'),
      'A &amp; BA &amp; B',
    );
    assert.equal(text('{{ params.items.0.title|escape }}'), 'A &amp; B');
    assert.equal(html('{{ "a<\nb"|linebreaksbr }}{{ "&"|force_escape }}'), 'a&lt;<br>b&amp;');
  });

  it('is done again for what a filter made of safe text, unless it only changed its case', () => {
    assert.equal(html('{{ params.name|safe|upper }}'), '&lt;ANN &amp; &quot;BOB&quot;&gt;');
    assert.equal(
      html('{{ "<b>x</b>"|safe|capfirst }}{{ params.missing|default:params.name|safe }}'),
      '<b>x</b><Ann & "Bob">',
    );
  });

  it('lets no value of HTML out of its place, whatever it holds and whatever filters it passes', () => {
    const filters = [
      '',
      '|upper',
      '|title',
      '|default:"x"',
      '|truncatechars:9',
      '|join:"-"',
      '|first',
      '|cut:"a"',
      '|add:"b"',
    ];
    const characters = fc.constantFrom('<', '>', '"', "'", '&', 'a', 'ß', '\n', '{', '}', '%', '#', '\u2028', '👍');
    fc.assert(
      fc.property(
        fc.array(characters).map((all) => all.join('')),
        fc.constantFrom(...filters),
        (value, filter) => {
          assert.doesNotMatch(html(`{{ v${filter} }}`, { v: value }), /[<>"']|&(?!(?:amp|lt|gt|quot|#x27);)/);
          if (filter !== '') return;
          assert.equal(text('{{ v }}', { v: value }), value);
          const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#x27': "'" };
          assert.equal(
            html('{{ v }}', { v: value }).replace(/&([^;]+);/g, (_, name) => entities[name] ?? ''),
            value,
          );
        },
      ),
      { numRuns: 500 },
    );
  });
});

/** What is thrown, by reading or by rendering. */
function refusal(source: string, values: Record<string, unknown> = scope): AppError {
  try {
    renderTemplate(parseTemplate(source, 'htmlContent'), values, 'html');
  } catch (error) {
    assert.ok(error instanceof AppError, String(error instanceof Error ? error.stack : error));
    assert.equal(error.code, 'invalid_template');
    return error;
  }
  throw new Error(`${JSON.stringify(source)} was not refused`);
}

describe('a template with an error', () => {
  it('names the field, the line, the column, the tag and what is wrong', () => {
    assert.equal(
      refusal('<p>\n  Hi {{ params.x|foo }}</p>').message,
      'htmlContent cannot be rendered: line 2, column 6, near "{{ params.x|foo }}": there is no filter "foo"',
    );
  });

  const errors: [source: string, at: number, reason: RegExp][] = [
    ['a {{ }}', 3, /a value is missing/],
    ['{{ a b }}', 1, /one value is expected/],
    ['{{ a == b }}', 1, /expected "\|"/],
    ['{{ a| }}', 1, /a filter is missing/],
    ['{{ a..b }}', 1, /./],
    ['{{ "a }}', 1, /a quote is never closed/],
    ['a{{ a', 2, /"\{\{" is never closed/],
    ['a{% if', 2, /"\{%" is never closed/],
    ['{{ a|upper:1 }}', 1, /"upper" takes no argument/],
    ['{{ a|default:1,2 }}', 1, /"default" takes one argument/],
    ['{{ a|default:b:2 }}', 1, /"default" takes one argument/],
    ['{{ a|default }}', 1, /"default" needs an argument/],
    ['{{ params.words|add:params.words }}', 1, /adds numbers or texts/],
    ['{% %}', 1, /a tag has no name/],
    ['x{% nope %}', 2, /there is no tag "nope"/],
    ['{% include "x" %}', 1, /there is no tag "include"/],
    ['{% render "x" %}', 1, /there is no tag "render"/],
    ['{% layout "x" %}', 1, /there is no tag "layout"/],
    ['{% assign a = 1 %}', 1, /there is no tag "assign"/],
    ['{% if a %}x', 1, /"endif" is missing/],
    ['{% if a %}{% for b in c %}{% endif %}', 11, /"endfor" is missing before "endif"/],
    ['{% endif %}', 1, /"endif" has no opening tag/],
    ['{% else %}', 1, /there is no tag "else"/],
    ['{% if a %}{% else %}{% elif b %}{% endif %}', 21, /"elif" follows an "else"/],
    ['{% if %}{% endif %}', 1, /a value is expected at the end/],
    ['{% if a and %}{% endif %}', 1, /a value is expected at the end/],
    ['{% if and a %}{% endif %}', 1, /a value is expected before "and"/],
    ['{% if a = 1 %}{% endif %}', 1, /"= 1/],
    ['{% if a b %}{% endif %}', 1, /"b" is not expected here/],
    ['{% if (a %}{% endif %}', 1, /a parenthesis is never closed/],
    ['{% if a %}{% elif b|nope %}{% endif %}', 11, /there is no filter "nope"/],
    ['{% for a %}{% endfor %}', 1, /a loop is written/],
    ['{% for a in %}{% endfor %}', 1, /a loop is written/],
    ['{% for a.b in c %}{% endfor %}', 1, /a loop is written/],
    ['{% with a %}{% endwith %}', 1, /names are given as/],
    ['{% autoescape maybe %}{% endautoescape %}', 1, /either on or off/],
    ['{% comment %}{% endif %}', 1, /"endcomment" is missing/],
  ];
  for (const [source, column, reason] of errors) {
    it(`is refused at its place: ${source}`, () => {
      const { message } = refusal(source);
      assert.match(message, reason);
      assert.ok(message.includes(`line 1, column ${column}, near `), message);
    });
  }

  it('is never anything but refused, whatever it is made of', () => {
    const pieces = fc.constantFrom(
      ...[
        '{{',
        '}}',
        '{%',
        '%}',
        '{#',
        '#}',
        ' if ',
        ' for ',
        ' in ',
        ' else ',
        ' endif ',
        ' endfor ',
        ' not ',
        ' and ',
      ],
      ...[
        'a',
        '.b',
        '[0]',
        '|',
        ':',
        'upper',
        'date',
        '"',
        "'",
        '(',
        ')',
        '..',
        '==',
        '<',
        '1',
        '-',
        '\n',
        '\\',
        ' with ',
        '=',
      ],
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 20 }), (parts) => {
        try {
          html(parts.join(''), { a: { b: ['x', 'y'] } });
        } catch (error) {
          assert.ok(error instanceof AppError, String(error instanceof Error ? error.stack : error));
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a hostile template', () => {
  const list = Array.from({ length: 20_000 }, (_, index) => index);
  const values = {
    params: { list, text: '<a&b>'.repeat(20_000), deep: JSON.parse('['.repeat(50_000) + ']'.repeat(50_000)) },
  };
  const twice = `{% with a=params.text %}${'{% with a=a|add:a %}'.repeat(30)}${'{% endwith %}'.repeat(31)}`;
  const refused: [what: string, source: string, reason: RegExp][] = [
    [
      'loops in loops',
      '{% for a in params.list %}{% for b in params.list %}{{ b }}{% endfor %}{% endfor %}',
      /too much work/,
    ],
    [
      'loops that print nothing',
      '{% for a in params.list %}{% for b in params.list %}{% endfor %}{% endfor %}',
      /too much work/,
    ],
    [
      'a long search in a loop',
      '{% for a in params.list %}{% if "z" in params.list %}{% endif %}{% endfor %}',
      /too much work/,
    ],
    [
      'long filters in a loop',
      '{% for a in params.list %}{% if params.text|upper %}{% endif %}{% endfor %}',
      /too much work/,
    ],
    ['a long result', '{% for a in params.list %}{{ params.text }}{% endfor %}', /more than \d+ characters/],
    ['a list joined by a book', '{{ params.list|join:params.text }}', /too much work/],
    ['a text doubled thirty times', twice, /too much work/],
    ['a range of a billion', '{{ (1..1000000000) }}', /a value is missing/],
    ['a value nested deeper than a stack is high', '{{ params.deep }}', /nested too deeply/],
    ['blocks nested deeply', `${'{% if a %}'.repeat(51)}${'{% endif %}'.repeat(51)}`, /blocks are nested too deeply/],
    ['parentheses nested deeply', `{% if ${'('.repeat(900)}a${')'.repeat(900)} %}{% endif %}`, /nested too deeply/],
    ['brackets nested deeply', `{{ ${'a['.repeat(900)} }}`, /./],
    ['a tag of a megabyte', `{{ ${'a'.repeat(1_000_000)} }}`, /this tag is too long/],
    ['a hundred thousand tags', '{{a}}'.repeat(100_000), /too many tags/],
    ['five megabytes', `{{ a }}${'x'.repeat(5_000_000)}`, /more than \d+ characters/],
    ['what never closes', '{{'.repeat(500_000), /never closed/],
  ];
  for (const [what, source, reason] of refused) {
    it(`is refused before it costs much: ${what}`, () => {
      const started = performance.now();
      assert.match(refusal(source, values).message, reason);
      // A quarter of a second at most on an idle core; without limits, minutes or the whole memory.
      assert.ok(performance.now() - started < 30_000);
    });
  }

  it('is read in linear time', () => {
    const started = performance.now();
    for (const piece of ['{#', '{ ', '{# x #}', '}}', '#}', '{ { ']) html(piece.repeat(2 ** 20 / piece.length - 1));
    // A quarter of a second; quadratic, it would be an hour.
    assert.ok(performance.now() - started < 20_000);
  });

  it('may be as long as it likes when there is nothing to render in it', () => {
    const long = '<p>x</p>'.repeat(2 ** 20);
    assert.equal(html(long), long);
  });

  it('cannot spend what other renderings of its request left', () => {
    const template = parseTemplate('{% for a in params.list %}{{ a }}{% endfor %}');
    const budget = createBudget(1);
    const renderings = () => renderTemplate(template, values, 'html', budget);
    assert.throws(() => [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(renderings), /too much work/);
    // Control: alone, each is fine.
    assert.ok(renderTemplate(template, values, 'html').length > 20_000);
  });
});
