/** Reads a template into what renders it: text, `{{ values }}`, `{% tags %}` and `{# comments #}`, blocks within blocks. */

import { type Condition, operandEnd, parseCondition } from './condition.ts';
import { type Expression, parseExpression } from './expression.ts';
import { type Piece, splitPieces } from './pieces.ts';
import { isRecord, type Rendering, TemplateFault } from './value.ts';

export type Node = (run: Rendering) => void;

/** @throws TemplateFault; `onPiece` was then told where the part at fault begins. */
export function parseNodes(source: string, onPiece: (at: number) => void): Node[] {
  return new Parser(source, onPiece).parse();
}

/** Blocks within blocks: deeper than anybody writes; recursion must end at the same depth in every process. */
const depthMax = 50;

class Parser {
  readonly #source: string;
  readonly #onPiece: (at: number) => void;
  readonly #pieces: Piece[];
  #next = 0;
  #depth = 0;

  constructor(source: string, onPiece: (at: number) => void) {
    this.#source = source;
    this.#onPiece = onPiece;
    this.#pieces = splitPieces(source, onPiece);
  }

  parse(): Node[] {
    const { nodes, end } = this.#block([]);
    if (end) throw new TemplateFault(`"${tagName(end)}" has no opening tag`);
    return nodes;
  }

  /** Up to one of the tags in `ends`, or to a closing tag that is nobody's, or to the end of the source. */
  #block(ends: readonly string[]): { nodes: Node[]; end: Piece | null } {
    const nodes: Node[] = [];
    for (let piece = this.#take(); piece; piece = this.#take()) {
      const name = piece.kind === 'tag' ? tagName(piece) : '';
      if (ends.includes(name) || closers.has(name)) return { nodes, end: piece };
      nodes.push(this.#node(piece, name));
    }
    return { nodes, end: null };
  }

  #node(piece: Piece, name: string): Node {
    const { from } = piece;
    if (piece.kind === 'text') return (run) => run.write(piece.inner);
    if (piece.kind === 'value') {
      const value = parseExpression(piece.inner);
      return (run) => {
        run.at = from;
        run.print(value(run));
      };
    }
    return this.#tag(piece, name);
  }

  #tag(piece: Piece, name: string): Node {
    if (++this.#depth > depthMax) throw new TemplateFault('blocks are nested too deeply');
    const node = this.#parseTag(piece, name);
    this.#depth--;
    return node;
  }

  #parseTag(piece: Piece, name: string): Node {
    const rest = piece.inner.slice(piece.inner.indexOf(name) + name.length);
    switch (name) {
      case 'if':
        return this.#if(piece, rest);
      case 'for':
        return this.#for(piece, rest);
      case 'with':
        return this.#with(piece, rest);
      case 'autoescape':
        return this.#autoescape(piece, rest);
      case 'comment':
        return this.#verbatim(piece, 'endcomment', false);
      case 'verbatim':
        return this.#verbatim(piece, 'endverbatim', true);
      default:
        throw new TemplateFault(name === '' ? 'a tag has no name' : `there is no tag "${name}"`);
    }
  }

  #if(opening: Piece, rest: string): Node {
    const branches: { condition: Condition; nodes: Node[] }[] = [];
    let condition = parseCondition(rest);
    for (;;) {
      const { nodes, end } = this.#block(['elif', 'elsif', 'else', 'endif']);
      const name = this.#closedBy(opening, end, 'endif');
      branches.push({ condition, nodes });
      if (name === 'endif') break;
      if (branches.at(-1)?.condition === otherwise) throw new TemplateFault(`"${name}" follows an "else"`);
      condition = name === 'else' ? otherwise : parseCondition(argumentsOf(end, name));
    }
    return (run) => {
      run.at = opening.from;
      run.spend(0);
      const taken = branches.find((branch) => branch.condition(run));
      if (taken) renderAll(taken.nodes, run);
    };
  }

  #for(opening: Piece, rest: string): Node {
    const form = /^([A-Za-z_]\w*)(?:\s*,\s*([A-Za-z_]\w*))?\s+in\s/.exec(rest.trim());
    if (!form) throw new TemplateFault('a loop is written {% for item in params.items %}');
    const [head, first = '', second] = form;
    const listed = rest.trim().slice(head.length);
    const isReversed = /\sreversed$/.test(listed);
    const list = parseList(isReversed ? listed.slice(0, -'reversed'.length) : listed, second !== undefined);
    const body = this.#block(['empty', 'endfor']);
    const empty = this.#closedBy(opening, body.end, 'endfor') === 'empty' ? this.#block(['endfor']) : null;
    if (empty) this.#closedBy(opening, empty.end, 'endfor');
    return (run) => {
      run.at = opening.from;
      const elements = elementsOf(list(run), second !== undefined);
      if (isReversed) elements.reverse();
      if (elements.length === 0) return renderAll(empty?.nodes ?? [], run);
      loop(run, elements, second === undefined ? [first] : [first, second], body.nodes);
    };
  }

  #with(opening: Piece, rest: string): Node {
    const values = parseAssignments(rest.trim());
    const { nodes, end } = this.#block(['endwith']);
    this.#closedBy(opening, end, 'endwith');
    return (run) => {
      run.at = opening.from;
      run.variables.push(Object.fromEntries(values.map(([name, value]) => [name, value(run)])));
      renderAll(nodes, run);
      run.variables.pop();
    };
  }

  #autoescape(opening: Piece, rest: string): Node {
    const word = rest.trim();
    if (word !== 'on' && word !== 'off') throw new TemplateFault('"autoescape" is either on or off');
    const { nodes, end } = this.#block(['endautoescape']);
    this.#closedBy(opening, end, 'endautoescape');
    return (run) => {
      const before = run.escapes;
      run.escapes = word === 'on';
      renderAll(nodes, run);
      run.escapes = before;
    };
  }

  /** What stands between is not read; it is shown as it is, or not at all. */
  #verbatim(opening: Piece, closing: string, isShown: boolean): Node {
    let end = this.#take();
    while (end && !(end.kind === 'tag' && tagName(end) === closing)) end = this.#take();
    this.#closedBy(opening, end, closing);
    const text = isShown ? this.#source.slice(opening.to, end?.from) : '';
    return (run) => run.write(text);
  }

  /** The name of the tag that ends a block of `opening`, which may be another than expected. */
  #closedBy(opening: Piece, end: Piece | null, closing: string): string {
    const name = end ? tagName(end) : '';
    if (end && (name === closing || !closers.has(name))) return name;
    this.#onPiece(opening.from);
    throw new TemplateFault(`"${closing}" is missing${end ? ` before "${name}"` : ''}`);
  }

  #take(): Piece | null {
    const piece = this.#pieces[this.#next++] ?? null;
    if (piece) this.#onPiece(piece.from);
    return piece;
  }
}

const closers = new Set(['endif', 'endfor', 'endwith', 'endautoescape', 'endcomment', 'endverbatim']);
const otherwise: Condition = () => true;

function renderAll(nodes: readonly Node[], run: Rendering): void {
  for (const node of nodes) node(run);
}

function tagName(piece: Piece): string {
  return /^\s*(\w+)/.exec(piece.inner)?.[1] ?? '';
}

function argumentsOf(piece: Piece | null, name: string): string {
  return piece ? piece.inner.slice(piece.inner.indexOf(name) + name.length) : '';
}

/** `a=params.x b=params.y|upper`, or the older `params.x as a`. */
function parseAssignments(text: string): [name: string, value: Expression][] {
  const older = /\sas\s+([A-Za-z_]\w*)$/.exec(text);
  if (older) return [[older[1] ?? '', parseExpression(text.slice(0, older.index))]];
  const assignments: [string, Expression][] = [];
  const pattern = /\s*([A-Za-z_]\w*)=/y;
  do {
    const name = pattern.exec(text)?.[1];
    const from = pattern.lastIndex;
    const end = operandEnd(text, from);
    if (name === undefined || end === from) throw new TemplateFault('names are given as {% with name=params.value %}');
    assignments.push([name, parseExpression(text.slice(from, end))]);
    pattern.lastIndex = end;
  } while (pattern.lastIndex < text.length);
  return assignments;
}

/**
 * In Django `{% for name, value in params.object.items %}` calls a method, unless the object has such a member. With one name
 * it does not here: a list that is missing would become one of whatever stands beside it.
 */
function parseList(text: string, inPairs: boolean): Expression {
  const list = parseExpression(text);
  const holder = inPairs ? /^(.+)\.items$/.exec(text.trim())?.[1] : undefined;
  if (holder === undefined) return list;
  const object = parseExpression(holder);
  return (run) => {
    const listed = list(run);
    return listed === undefined ? object(run) : listed;
  };
}

/** Elements of a list, characters of a text, names of an object's members; with `inPairs` each with its value. */
function elementsOf(value: unknown, inPairs: boolean): unknown[] {
  if (Array.isArray(value)) return [...value];
  if (isRecord(value)) return inPairs ? Object.entries(value) : Object.keys(value);
  return typeof value === 'string' ? [...value] : [];
}

type Loop = Record<'counter' | 'counter0' | 'revcounter' | 'revcounter0' | 'length', number> & {
  first: boolean;
  last: boolean;
  parentloop: unknown;
};

function loop(run: Rendering, elements: unknown[], names: string[], nodes: Node[]): void {
  const parentloop = run.variables.find('forloop');
  for (const [index, element] of elements.entries()) {
    run.spend(0);
    const forloop: Loop = {
      counter: index + 1,
      counter0: index,
      revcounter: elements.length - index,
      revcounter0: elements.length - index - 1,
      length: elements.length,
      first: index === 0,
      last: index === elements.length - 1,
      parentloop,
    };
    const [first = '', second] = names;
    const pair =
      second === undefined ? { [first]: element } : { [first]: elementAt(element, 0), [second]: elementAt(element, 1) };
    run.variables.push({ ...pair, forloop });
    renderAll(nodes, run);
    run.variables.pop();
  }
}

function elementAt(element: unknown, index: number): unknown {
  return Array.isArray(element) ? element[index] : undefined;
}
