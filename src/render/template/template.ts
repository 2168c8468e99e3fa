/** Brevo's template language, which is Django's (docs/brevo.md lists what it knows): parsed once, rendered for each recipient. */

import { AppError } from '../../core/error.ts';
import { type Node, parseNodes } from './parse.ts';
import { Budget, Rendering, TemplateFault } from './value.ts';
import { Variables } from './variables.ts';

export type Template = {
  source: string;
  /** What the author calls it, for messages: `subject`, `htmlContent`. */
  name: string;
  /** Null: there is nothing to render in it. */
  nodes: Node[] | null;
};

/** What a template may look at: JSON values. */
export type Scope = Readonly<Record<string, unknown>>;

/** Whether there is anything to render in it. */
export function hasTemplate(source: string): boolean {
  return /\{[{%#]/.test(source);
}

/** Gmail cuts a message after 102 kB, but pictures may stand in it. With nothing to render it may be as large as a request. */
const sourceLengthMax = 2 ** 22;
const renderedLengthMax = 2 ** 22;
/** Some 100,000 steps of a loop that prints: a fifth of a second on a slow core. */
const renderingUnits = 10_000_000;

/**
 * Reads a template; `name` is what its author calls it.
 * @throws AppError `invalid_template` whose message names the place
 */
export function parseTemplate(source: string, name = 'template'): Template {
  if (!hasTemplate(source)) return { source, name, nodes: null };
  let at = 0;
  try {
    if (source.length > sourceLengthMax) throw new TemplateFault(`it has more than ${sourceLengthMax} characters`);
    const nodes = parseNodes(source, (place) => {
      at = place;
    });
    return { source, name, nodes };
  } catch (error) {
    throw refusal(error, { source, name, at });
  }
}

/**
 * Renders for one recipient. In HTML, values are escaped unless they were made `safe`; in text nothing is.
 * Renderings that belong together (the versions of one request) may share a `budget`.
 * @throws AppError `invalid_template` where it takes too much work or becomes too long
 */
export function renderTemplate(
  template: Template,
  scope: Scope,
  output: 'html' | 'text',
  budget = createBudget(),
): string {
  if (template.nodes === null) return template.source;
  const options = { escapes: output === 'html', budget, lengthMax: renderedLengthMax };
  const run = new Rendering(new Variables(scope), options);
  try {
    for (const node of template.nodes) node(run);
    return run.written();
  } catch (error) {
    throw refusal(error, { source: template.source, name: template.name, at: run.at });
  }
}

/** Enough for so many renderings of ordinary size, or a single one of any size that is allowed. */
export function createBudget(renderings = 1): Budget {
  return new Budget(renderingUnits + renderings * (renderingUnits / 100));
}

type Place = { source: string; name: string; at: number };

/** What is no fault of the template is thrown as it is. */
function refusal(error: unknown, place: Place): unknown {
  const reason = reasonOf(error);
  if (reason === null) return error;
  const before = place.source.slice(0, place.at);
  const line = before.split('\n').length;
  const column = place.at - before.lastIndexOf('\n');
  const message = `${place.name} cannot be rendered: line ${line}, column ${column}, near ${snippet(place)}: ${reason}`;
  return new AppError('invalid_template', message, { cause: error });
}

function reasonOf(error: unknown): string | null {
  if (error instanceof TemplateFault) return error.message;
  // Values nested as deeply as a stack is high.
  return error instanceof RangeError ? 'it is nested too deeply' : null;
}

const snippetLengthMax = 60;

function snippet({ source, at }: Place): string {
  const line = source.slice(at, at + snippetLengthMax).split(/[\r\n]/)[0] ?? '';
  const end = /(?:%\}|\}\})/.exec(line);
  return JSON.stringify(end ? line.slice(0, end.index + 2) : line);
}
