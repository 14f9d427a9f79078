import type { Expression, Program, Statement } from 'oxc-parser';
import { isAlias, isMap, isNode, isScalar, isSeq, visit, type Document, type Node } from 'yaml';
import type { Problem } from '../domain/problem.ts';

/** Finds where in a source the value at a JSON pointer's path was written. */

/** A place in the source, in UTF-16 units. */
export interface Place {
  readonly offset: number;
  readonly length: number;
}

/** An alias within its own anchor: a value without an end. */
export function aliasInItself(document: Document.Parsed): Node | null {
  let found: Node | null = null;
  visit(document, {
    Alias(_key, alias, ancestors) {
      const target = alias.resolve(document);
      if (!target || !ancestors.includes(target)) return undefined;
      found = alias;
      return visit.BREAK;
    },
  });
  return found;
}

export function placeInYaml(
  document: Document.Parsed,
  path: readonly string[],
  at: Problem['at'],
): Place {
  let node: unknown = document.contents;
  let place = placeOfNode(node);
  for (const [index, key] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    let member: unknown;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
      member = at === 'key' && index === path.length - 1 ? pair?.key : pair?.value;
    } else if (isSeq(node)) member = node.items[Number(key)];
    // What is missing has no place of its own: the nearest thing around it has.
    if (!isNode(member)) return place;
    node = member;
    place = placeOfNode(node);
  }
  return place;
}

export function placeOfNode(node: unknown): Place {
  if (!isNode(node) || !node.range) return { offset: 0, length: 1 };
  const [start, end] = node.range;
  return { offset: start, length: isMap(node) || isSeq(node) ? 1 : end - start };
}

export function placeInProgram(
  program: Program,
  path: readonly string[],
  at: Problem['at'],
  name = 'campaign',
): Place {
  const constants = constantsOf(program);
  let node = exported(program, name);
  let place: Place = node ? placeOfExpression(node) : { offset: 0, length: 1 };
  for (const [index, key] of path.entries()) {
    const value = node && settle(node, constants);
    let member: Expression | null = null;
    if (value?.type === 'ObjectExpression') {
      for (const property of value.properties) {
        if (property.type !== 'Property' || keyName(property.key) !== key) continue;
        if (at === 'key' && index === path.length - 1) {
          return { offset: property.key.start, length: property.key.end - property.key.start };
        }
        member = property.value;
      }
    } else if (value?.type === 'ArrayExpression') {
      const element = value.elements[Number(key)];
      if (element && element.type !== 'SpreadElement') member = element;
    }
    // Missing, spread in or computed: the nearest thing around it that is written here has a place.
    if (!member) return value ? placeOfExpression(value) : place;
    node = member;
    place = placeOfExpression(node);
  }
  return place;
}

function constantsOf(program: Program): Map<string, Expression> {
  const constants = new Map<string, Expression>();
  for (const statement of program.body) {
    const declaration =
      statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
    if (declaration?.type !== 'VariableDeclaration') continue;
    for (const { id, init } of declaration.declarations) {
      if (id.type === 'Identifier' && init) constants.set(id.name, init);
    }
  }
  return constants;
}

function exported(program: Program, name: string): Expression | null {
  const standard = program.body.find(
    (statement: Statement) => statement.type === 'ExportDefaultDeclaration',
  );
  if (standard) return settle(standard.declaration as Expression, constantsOf(program));
  const named = constantsOf(program).get(name);
  return named ? settle(named, constantsOf(program)) : null;
}

/** Looks through `defineCampaign(…)`, `as const`, `satisfies`, parentheses and constants of the same file. */
function settle(expression: Expression, constants: ReadonlyMap<string, Expression>): Expression {
  let node = expression;
  // Bounded, since two constants may name each other.
  for (let depth = 0; depth < 20; depth++) {
    if (
      node.type === 'TSAsExpression' ||
      node.type === 'TSSatisfiesExpression' ||
      node.type === 'TSNonNullExpression' ||
      node.type === 'ParenthesizedExpression'
    ) {
      node = node.expression;
    } else if (node.type === 'Identifier' && constants.has(node.name)) {
      node = constants.get(node.name)!;
    } else if (node.type === 'CallExpression') {
      const [first] = node.arguments;
      if (!first || first.type === 'SpreadElement') return node;
      node = first;
    } else return node;
  }
  return node;
}

function keyName(key: { type: string; name?: unknown; value?: unknown }): string | null {
  if (key.type === 'Identifier') return String(key.name);
  return key.type === 'Literal' ? String(key.value) : null;
}

function placeOfExpression({ type, start, end }: Expression): Place {
  const isContainer = type === 'ObjectExpression' || type === 'ArrayExpression';
  return { offset: start, length: isContainer ? 1 : end - start };
}
