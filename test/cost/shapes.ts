/** What hostile senders write into a field: runs, repeats, near-misses, nesting and very many members, each of any size. */

/** `start` once, `unit` again and again, `end` once; together as long as is asked for. */
type Run = { start?: string; unit: string; end?: string };

const runs: Record<string, Run> = {
  letters: { unit: 'a' },
  blanks: { unit: ' ', end: 'x' },
  'blanks at the end': { start: 'x', unit: ' ' },
  tabs: { unit: 'mon \t\ta ', end: '!' },
  dots: { unit: '.', end: 'x' },
  'dots at the end': { start: 'x', unit: '.' },
  digits: { unit: '1', end: 'x' },
  'long labels': { start: 'a@', unit: 'ü' },
  addresses: { unit: 'a@b.c,' },
  ats: { unit: '@', end: 'a' },
  'open brackets': { unit: '<', end: 'x' },
  'angle brackets': { start: 'a ', unit: '<>', end: 'a@b.c>' },
  quotes: { unit: '"', end: 'x' },
  backslashes: { start: '"', unit: '\\' },
  'quoted pairs': { start: '"', unit: '\\"', end: 'x' },
  apostrophes: { unit: "'", end: 'x' },
  semicolons: { start: 'a/b', unit: ' ;', end: '=' },
  equals: { unit: '=', end: '?' },
  'encoded words': { unit: '=?', end: 'x' },
  colons: { unit: 'to:"', end: 'x' },
  slashes: { start: 'https://a.test/', unit: '/', end: ' ' },
  percents: { start: 'https://a.test/', unit: '%41' },
  dashes: { unit: '-', end: '<' },
  lines: { unit: 'a\n' },
  'lines that fold': { unit: 'a\r\n \t' },
  controls: { unit: '\u0001' },
  characters: { unit: 'ü€😀' },
  combining: { start: 'e', unit: '\u0301' },
  links: { unit: '<a ' },
  'links that close': { unit: '<a href="x">' },
  images: { unit: '<img ' },
  'content ids': { unit: 'cid:a ' },
  comments: { unit: '<!--' },
  'open tags': { unit: '<div>' },
  'close tags': { unit: '</p>' },
  'void tags': { unit: '<br>' },
  'quotes in quotes': { start: '<blockquote>'.repeat(252), unit: 'a<br>' },
  'lists in paragraphs': { unit: '<p><li>' },
  'lists in quotes': { unit: '<blockquote><ul><li>a' },
  tables: { unit: '<table><tr><td>' },
  words: { unit: 'word ' },
  outputs: { unit: '{{ a }}' },
  'open outputs': { unit: '{{ ' },
  filters: { start: '{{ params.s', unit: '|add:1', end: ' }}' },
  'filters of digits': { start: '{{ "', unit: '1', end: 'x"|add:1 }}' },
  operands: { start: '{% if a', unit: ' or a', end: ' %}x{% endif %}' },
  members: { start: '{{ params', unit: '.a', end: ' }}' },
  steps: { start: '{{ params', unit: '[0]', end: ' }}' },
  'open blocks': { unit: '{% if a %}' },
  loops: { unit: '{% for a in params.s %}' },
};

/** Values of JSON that are not texts. */
const structures: Record<string, (size: number) => string> = {
  'nested arrays': (size) => `${'['.repeat(size / 2)}${']'.repeat(size / 2)}`,
  'nested objects': (size) => `${'{"a":'.repeat(size / 6)}1${'}'.repeat(size / 6)}`,
  'very many objects': (size) => `[${'{},'.repeat(size / 3)}{}]`,
  'very many numbers': (size) => `[${'7,'.repeat(size / 2)}7]`,
  'very many texts': (size) => `[${'"a",'.repeat(size / 4)}"a"]`,
  'very many members': (size) =>
    `{${Array.from({ length: size / 12 }, (_, index) => `"${String(index).padStart(6, '0')}":1`).join(',')}}`,
  'a long number': (size) => '1'.repeat(size),
  'a long name': (size) => `{"${'a'.repeat(size)}":"a"}`,
};

export const textShapes = Object.keys(runs);
export const structureShapes = Object.keys(structures);

export function writeText(shape: string, size: number): string {
  const { start = '', unit, end = '' } = runs[shape] as Run;
  const times = Math.max(0, Math.floor((size - start.length - end.length) / unit.length));
  return `${start}${unit.repeat(times)}${end}`.slice(0, Math.max(size, 1));
}

/** As it stands in JSON. */
export function writeValue(shape: string, size: number): string {
  const structure = structures[shape];
  return structure ? structure(Math.max(12, size)) : JSON.stringify(writeText(shape, size));
}
