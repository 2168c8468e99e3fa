/** The conditions of `{% if %}`: `not params.a and params.list|length > 1 or params.b in params.list`. */

import { type Expression, parseExpression } from './expression.ts';
import { compare, contains, isEqual, isTrue, lengthOf, type Rendering, TemplateFault } from './value.ts';

export type Condition = (run: Rendering) => boolean;

/** Binding from loose to tight: or, and, not, comparisons; parentheses as in every language but Django's. */
export function parseCondition(text: string): Condition {
  return new ConditionParser(readTokens(text)).parse();
}

/** Where the value that begins at `from` ends, filters included; `from` itself where none begins. */
export function operandEnd(text: string, from: number): number {
  operandPattern.lastIndex = from;
  return operandPattern.test(text) ? operandPattern.lastIndex : from;
}

/** A word may hold quoted spaces, a filter may stand apart from its value. Each alternative begins otherwise: linear. */
const word = String.raw`(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'|:,()=!<>])+`;
const operandPattern = new RegExp(String.raw`${word}(?:\s*\|\s*\w+(?:\s*:\s*${word})?)*`, 'ys');
const spacePattern = /\s*/y;
const operatorPattern = /==|!=|<=|>=|[<>()]/y;
const operatorWords = new Set(['and', 'or', 'not', 'in', 'is']);

type Token = { text: string; isOperator: boolean };

function readTokens(text: string): Token[] {
  const tokens: Token[] = [];
  let at = skip(spacePattern, text, 0);
  while (at < text.length) {
    const operator = skip(operatorPattern, text, at);
    const end = operator > at ? operator : operandEnd(text, at);
    const piece = text.slice(at, end);
    if (end === at) throw new TemplateFault(`"${text.slice(at, at + 10)}" is not understood in a condition`);
    tokens.push({ text: piece, isOperator: operator > at || operatorWords.has(piece) });
    at = skip(spacePattern, text, end);
  }
  return tokens;
}

function skip(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : from;
}

/** Deeper than anybody writes; recursion must end at the same depth in every process. */
const depthMax = 30;

class ConditionParser {
  readonly #tokens: Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: Token[]) {
    this.#tokens = tokens;
  }

  parse(): Condition {
    const condition = this.#either();
    const rest = this.#tokens[this.#next];
    if (rest) throw new TemplateFault(`"${rest.text}" is not expected here`);
    return condition;
  }

  #either(): Condition {
    const options = [this.#both()];
    while (this.#takes('or')) options.push(this.#both());
    return options.length === 1 && options[0] ? options[0] : (run) => options.some((option) => option(run));
  }

  #both(): Condition {
    const parts = [this.#negation()];
    while (this.#takes('and')) parts.push(this.#negation());
    return parts.length === 1 && parts[0] ? parts[0] : (run) => parts.every((part) => part(run));
  }

  #negation(): Condition {
    if (!this.#takes('not')) return this.#comparison();
    this.#enter();
    const negated = this.#negation();
    this.#depth--;
    return (run) => !negated(run);
  }

  #comparison(): Condition {
    if (this.#takes('(')) {
      this.#enter();
      const inner = this.#either();
      if (!this.#takes(')')) throw new TemplateFault('a parenthesis is never closed');
      this.#depth--;
      return inner;
    }
    const left = this.#operand();
    const operator = this.#comparator();
    if (operator === null) return (run) => isTrue(left(run));
    const right = this.#operand();
    return (run) => {
      const [a, b] = [left(run), right(run)];
      run.spend(lengthOf(a) + lengthOf(b));
      return operator(a, b);
    };
  }

  #comparator(): Comparator | null {
    if (this.#takes('not')) {
      if (this.#takes('in')) return (a, b) => !contains(b, a);
      throw new TemplateFault('"not" is not expected here');
    }
    if (this.#takes('is')) return this.#takes('not') ? (a, b) => !isEqual(a, b) : isEqual;
    const token = this.#tokens[this.#next];
    const found = token?.isOperator ? comparators.get(token.text) : undefined;
    if (found) this.#next++;
    return found ?? null;
  }

  #operand(): Expression {
    const token = this.#tokens[this.#next];
    if (!token || token.isOperator) {
      throw new TemplateFault(`a value is expected ${token ? `before "${token.text}"` : 'at the end'}`);
    }
    this.#next++;
    return parseExpression(token.text);
  }

  #takes(operator: string): boolean {
    const token = this.#tokens[this.#next];
    if (!token?.isOperator || token.text !== operator) return false;
    this.#next++;
    return true;
  }

  #enter(): void {
    if (++this.#depth > depthMax) throw new TemplateFault('this condition is nested too deeply');
  }
}

type Comparator = (left: unknown, right: unknown) => boolean;

/** What has no order (missing values, lists) is neither less nor greater. */
const comparators: ReadonlyMap<string, Comparator> = new Map<string, Comparator>([
  ['==', isEqual],
  ['!=', (a, b) => !isEqual(a, b)],
  ['<', (a, b) => (compare(a, b) ?? Number.NaN) < 0],
  ['>', (a, b) => (compare(a, b) ?? Number.NaN) > 0],
  ['<=', (a, b) => (compare(a, b) ?? Number.NaN) <= 0],
  ['>=', (a, b) => (compare(a, b) ?? Number.NaN) >= 0],
  ['in', (a, b) => contains(b, a)],
]);
