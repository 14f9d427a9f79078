import { problemAt, type LocatedProblem } from '../domain/problem.ts';
import { parseTemplate, type Node, type Program } from './engine.ts';

/**
 * A template with its partials set in as text. Partials are gone before Handlebars compiles, so that no partial can be
 * chosen by data, and CSS can be inlined over the whole document. Every place leads back to the file it came from.
 */
export interface SourceFile {
  /** As shown in problems, such as `templates/win-back/html.hbs`. */
  readonly name: string;
  readonly text: string;
}

export interface FlatSource {
  readonly text: string;
  /** A problem at `offset` of the flat text, in the file that was written. */
  problem(offset: number, length: number, message: string): LocatedProblem;
}

interface Chunk {
  readonly text: string;
  readonly file: SourceFile;
  readonly offset: number;
}

type Parameters = ReadonlyMap<string, Chunk & { readonly literal: boolean }>;

interface Expansion {
  readonly partial: (name: string) => SourceFile | null;
  readonly escape: (text: string) => string;
  readonly problems: LocatedProblem[];
}

/** Partials within partials; more is a circle. */
const DEPTH_MAX = 6;
/** Larger ones are no mails: Gmail clips at 102 KiB. Partials that repeat partials grow without an end. */
const CHARS_MAX = 200_000;
/** Ten times what a rich mail has. Handlebars' time to read them grows with their square. */
export const MUSTACHES_MAX = 1_000;
/** More are not read by anybody. */
export const PROBLEMS_MAX = 50;

/** Sets the partials into `file`; null where something could not be read, which `problems` then tells. */
export function expandPartials(file: SourceFile, expansion: Expansion): FlatSource | null {
  const before = expansion.problems.length;
  const budget = { chars: CHARS_MAX, mustaches: MUSTACHES_MAX };
  const chunks = expandFile(file, new Map(), 0, { ...expansion, budget });
  return expansion.problems.length > before ? null : flatSource(chunks);
}

interface BoundedExpansion extends Expansion {
  /** What is left for all files together. */
  readonly budget: { chars: number; mustaches: number };
}

/** Takes `text` from the budget; a sentence where it is spent. */
function spend(text: string, budget: BoundedExpansion['budget']): string | null {
  budget.chars -= text.length;
  budget.mustaches -= text.split('{{').length - 1;
  if (budget.chars < 0) return `the template has more than ${CHARS_MAX} characters.`;
  return budget.mustaches < 0
    ? `the template has more than ${MUSTACHES_MAX} fields and helpers.`
    : null;
}

export function flatSource(chunks: readonly Chunk[]): FlatSource {
  const text = chunks.map((chunk) => chunk.text).join('');
  return {
    text,
    problem(offset, length, message) {
      let start = 0;
      let found = chunks[0]!;
      for (const chunk of chunks) {
        if (start > offset) break;
        if (chunk.text !== '') found = chunk;
        if (offset < start + chunk.text.length) break;
        start += chunk.text.length;
      }
      const within = Math.max(0, Math.min(offset - start, found.text.length));
      const place = { offset: found.offset + within, length };
      return problemAt(found.file.name, found.file.text, place, message);
    },
  };
}

function expandFile(
  file: SourceFile,
  parameters: Parameters,
  depth: number,
  expansion: BoundedExpansion,
): Chunk[] {
  const whole = { text: file.text, file, offset: 0 };
  const spent = spend(file.text, expansion.budget);
  if (spent) {
    // Once is enough, however often the partial is named.
    if (expansion.problems.length > 0) return [whole];
    expansion.problems.push(problemAt(file.name, file.text, { offset: 0, length: 1 }, spent));
    return [whole];
  }
  const program = parseFile(file, expansion.problems);
  if (!program) return [whole];
  const edits: { start: number; end: number; chunks: Chunk[] }[] = [];
  const offsetAt = offsetsOf(file.text);
  const refuse = (node: Node, message: string): void => {
    if (expansion.problems.length >= PROBLEMS_MAX) return;
    const offset = offsetAt(node.loc.start);
    const length = offsetAt(node.loc.end) - offset;
    expansion.problems.push(problemAt(file.name, file.text, { offset, length }, message));
  };
  visitNodes(program, (node, isScoped) => {
    const edit = (chunks: Chunk[]): void => {
      edits.push({ start: offsetAt(node.loc.start), end: offsetAt(node.loc.end), chunks });
    };
    if (node.type === 'PartialStatement') {
      const statement = node as hbs.AST.PartialStatement;
      const fault = partialFault(statement, depth);
      const name = String((statement.name as hbs.AST.PathExpression).original);
      const inner = fault ? null : expansion.partial(name);
      if (!inner) {
        return refuse(node, fault ?? `there is no partial "${name}" in templates/partials/.`);
      }
      const given = givenParameters(statement, file, offsetAt, parameters, refuse);
      edit(expandFile(inner, given, depth + 1, expansion));
    } else if (node.type === 'MustacheStatement') {
      const { path, params } = node as hbs.AST.MustacheStatement;
      const value = params.length === 0 ? parameterOf(path, parameters) : undefined;
      if (!value) return;
      if (isScoped && !value.literal) return refuse(node, SCOPED);
      const bare = value.text.replace(/^\((.*)\)$/s, '$1');
      edit([{ ...value, text: value.literal ? expansion.escape(value.text) : `{{${bare}}}` }]);
    } else if (node.type === 'PathExpression') {
      const value = parameterOf(node, parameters);
      if (!value) return;
      if (isScoped && !value.literal) return refuse(node, SCOPED);
      edit([{ ...value, text: value.literal ? quoted(value.text) : value.text }]);
    }
  });
  return spliced(whole, edits, depth > 0);
}

const SCOPED =
  'a parameter that is a field cannot be used inside {{#each}} or {{#with}}; expected it outside of the block.';

function partialFault(statement: hbs.AST.PartialStatement, depth: number): string | null {
  const { name, params } = statement;
  const isPlain =
    name.type === 'PathExpression' &&
    /^[a-z][a-z0-9-]*$/.test((name as hbs.AST.PathExpression).original);
  if (!isPlain) return 'a partial must be named in the template; expected such as {{> button}}.';
  if (params.length > 0) {
    return 'a partial takes its values by name; expected such as {{> button label="Shop now"}}.';
  }
  return depth >= DEPTH_MAX ? `partials nest deeper than ${DEPTH_MAX}; is there a circle?` : null;
}

/** Values given to a partial: texts, numbers, fields, or one helper call in parentheses. */
function givenParameters(
  statement: hbs.AST.PartialStatement,
  file: SourceFile,
  offsetAt: (position: hbs.AST.Position) => number,
  outer: Parameters,
  refuse: (node: Node, message: string) => void,
): Parameters {
  const given = new Map<string, Chunk & { literal: boolean }>();
  for (const { key, value } of (statement.hash as hbs.AST.Hash | undefined)?.pairs ?? []) {
    const offset = offsetAt(value.loc.start);
    const passed = parameterOf(value, outer);
    if (passed) given.set(key, passed);
    else if (value.type === 'StringLiteral' || value.type === 'NumberLiteral') {
      const text = String((value as hbs.AST.StringLiteral).value);
      if (text.includes('{{')) refuse(value, 'a value for a partial must not contain {{.');
      given.set(key, { text, file, offset, literal: true });
    } else {
      const text = file.text.slice(offset, offsetAt(value.loc.end));
      given.set(key, { text, file, offset, literal: false });
    }
  }
  return given;
}

function parameterOf(
  node: Node,
  parameters: Parameters,
): (Chunk & { readonly literal: boolean }) | undefined {
  if (node.type !== 'PathExpression') return undefined;
  const { original, data, depth } = node as hbs.AST.PathExpression;
  return data || depth > 0 ? undefined : parameters.get(original);
}

function quoted(text: string): string {
  return /^-?\d+(?:\.\d+)?$/.test(text) ? text : `"${text.replaceAll('"', '\\"')}"`;
}

function spliced(
  whole: Chunk,
  edits: { start: number; end: number; chunks: Chunk[] }[],
  isPartial: boolean,
): Chunk[] {
  const chunks: Chunk[] = [];
  let reached = 0;
  const slice = (start: number, end: number): void => {
    chunks.push({ text: whole.text.slice(start, end), file: whole.file, offset: start });
  };
  for (const edit of edits.toSorted((left, right) => left.start - right.start)) {
    slice(reached, edit.start);
    chunks.push(...edit.chunks);
    reached = edit.end;
  }
  // The line break that ends a partial's file belongs to the file, not to the place where it is set in.
  const end = isPartial ? whole.text.replace(/\n$/, '').length : whole.text.length;
  slice(reached, Math.max(reached, end));
  return chunks;
}

/** The tree of one file; null with a problem where it is not a template. */
export function parseFile(file: SourceFile, problems: LocatedProblem[]): Program | null {
  try {
    return parseTemplate(file.text);
  } catch (error) {
    problems.push(syntaxProblem(file, error));
    return null;
  }
}

function syntaxProblem(file: SourceFile, error: unknown): LocatedProblem {
  const { message = '', lineNumber } = error as { message?: string; lineNumber?: number };
  // Jison's message has the line, what stands around the place, a row of dashes up to it, and what was expected.
  const [head = '', around = '', dashes = '', rest = ''] = message.split('\n');
  const line = lineNumber ?? Number(/line (\d+)/.exec(head)?.[1] ?? 1);
  const offset = offsetsOf(file.text)({ line, column: 0 });
  const text = file.text.slice(offset).split('\n')[0]!;
  const column = columnAfter(text, around.slice(0, dashes.lastIndexOf('^')));
  const got = /got '([^']*)'/.exec(rest)?.[1];
  const why = got ? `it does not go on like this (found ${got})` : head.replace(/ - \d+:\d+$/, '');
  const place = { offset: offset + column, length: 1 };
  return problemAt(file.name, file.text, place, `this is not a template that can be read: ${why}.`);
}

/** Where in `line` the end of `before` stands; Jison runs the lines before into one, so only its end is there. */
function columnAfter(line: string, before: string): number {
  for (let start = 0; start < before.length; start++) {
    const index = line.indexOf(before.slice(start));
    if (index >= 0) return index + before.length - start;
  }
  return 0;
}

/** Turns Handlebars' positions (line from 1, column from 0) into offsets. */
export function offsetsOf(text: string): (position: hbs.AST.Position) => number {
  const starts = [0];
  for (let index = text.indexOf('\n'); index >= 0; index = text.indexOf('\n', index + 1)) {
    starts.push(index + 1);
  }
  return ({ line, column }) => Math.min((starts[line - 1] ?? text.length) + column, text.length);
}

/** Visits every node once, outer ones first; `isScoped` inside of `each` and `with`, where names mean something else. */
export function visitNodes(
  node: Node,
  visit: (node: Node, isScoped: boolean) => void,
  isScoped = false,
): void {
  visit(node, isScoped);
  const all = (nodes: readonly Node[] | undefined, scoped = isScoped): void => {
    for (const inner of nodes ?? []) visitNodes(inner, visit, scoped);
  };
  switch (node.type) {
    case 'Program':
      return all((node as Program).body);
    case 'MustacheStatement':
    case 'SubExpression': {
      const { params, path } = node as hbs.AST.MustacheStatement;
      // The name of a helper is no field; a field of its own is the statement's business.
      if (path.type === 'SubExpression') all([path]);
      return all(params);
    }
    case 'BlockStatement': {
      const { path, params, program, inverse } = node as hbs.AST.BlockStatement;
      const scopes = path.original === 'each' || path.original === 'with';
      all(params);
      if (program) all([program], isScoped || scopes);
      // `{{else}}` has the outer scope again.
      if (inverse as Program | undefined) all([inverse]);
      return undefined;
    }
    default:
      return undefined;
  }
}
