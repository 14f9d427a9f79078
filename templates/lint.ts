import { didYouMean, type LocatedProblem } from '../domain/problem.ts';
import { mayBeMissing } from './data.ts';
import {
  BLOCK_HELPERS,
  CONDITIONS,
  parseTemplate,
  VALUE_HELPERS,
  type Node,
  type Program,
} from './engine.ts';
import {
  guarded,
  guardsOf,
  isGuarded,
  resolvePath,
  rootScope,
  type Scope,
  type Target,
} from './scope.ts';
import { offsetsOf, PROBLEMS_MAX, type FlatSource } from './source.ts';

/**
 * What a template may do, as an allow-list over its syntax tree: anything that is not named here is refused. The walk
 * knows the scope of each name, so it also tells which fields are shown and which of these have no fallback.
 */
export interface FieldUse {
  /** Such as `person.firstName` or `products[].title`. */
  readonly field: string;
  readonly offset: number;
  readonly length: number;
  /** Safe where the data lacks the field: it has a fallback, or stands under a condition that asks for it. */
  readonly isSafe: boolean;
  /** Under a condition that asks for the offer: never shown where there is none. */
  readonly isInOffer: boolean;
  /** Under no condition. */
  readonly isAlways: boolean;
}

/** A helper that becomes a link. */
export interface LinkCall {
  readonly name: 'link' | 'productLink' | 'unsubscribeUrl';
  readonly offset: number;
  /** The target of a `link`. */
  readonly target: string;
  /** Under no condition. */
  readonly isAlways: boolean;
}

export interface Lint {
  readonly program: Program;
  readonly uses: readonly FieldUse[];
  readonly calls: readonly LinkCall[];
}

/** Deeper nesting is a mistake; the compiler recurses. */
const DEPTH_MAX = 10;

/**
 * Checks a template that is text: the flat source of an author, or (`isFrozen`) what the freezer made of it.
 * Throws what Handlebars throws where the text is no template.
 */
export function lintTemplate(
  source: FlatSource,
  problems: LocatedProblem[],
  isFrozen = false,
): Lint {
  const program = parseTemplate(source.text);
  const linter = new Linter(source, problems);
  linter.program(program, rootScope(isFrozen));
  return { program, uses: linter.uses, calls: linter.calls };
}

class Linter {
  readonly uses: FieldUse[] = [];
  readonly calls: LinkCall[] = [];
  readonly #source: FlatSource;
  readonly #problems: LocatedProblem[];
  readonly #offsetAt: (position: hbs.AST.Position) => number;

  constructor(source: FlatSource, problems: LocatedProblem[]) {
    this.#source = source;
    this.#problems = problems;
    this.#offsetAt = offsetsOf(source.text);
  }

  program(program: Program, scope: Scope): void {
    if (scope.depth > DEPTH_MAX) {
      return this.#refuse(program, `blocks nest deeper than ${DEPTH_MAX}.`);
    }
    for (const statement of program.body) this.#statement(statement, scope);
  }

  #statement(node: Node, scope: Scope): void {
    switch (node.type) {
      case 'ContentStatement': {
        // Only an escaped \{{ or a raw block leaves braces in the text, and then scanners disagree about them.
        if ((node as hbs.AST.ContentStatement).value.includes('{{')) {
          this.#refuse(node, 'braces cannot be shown as text; expected no \\{{ and no {{{{.');
        }
        return undefined;
      }
      case 'CommentStatement':
        return undefined;
      case 'MustacheStatement':
        return this.#mustache(node as hbs.AST.MustacheStatement, scope);
      case 'BlockStatement':
        return this.#block(node as hbs.AST.BlockStatement, scope);
      default:
        return this.#refuse(node, `${node.type} is not allowed in a mail.`);
    }
  }

  #mustache(node: hbs.AST.MustacheStatement, scope: Scope): void {
    if (!(node as { escaped: unknown }).escaped) {
      return this.#refuse(node, 'a value must be escaped; expected {{…}}, not {{{…}}} or {{&…}}.');
    }
    const { path, params } = node;
    if (path.type !== 'PathExpression') {
      return this.#refuse(node, 'expected a field or a helper, such as {{person.firstName}}.');
    }
    const name = (path as hbs.AST.PathExpression).original;
    if (name === 'link') return this.#link(node, scope);
    if (params.length > 0 || Object.hasOwn(VALUE_HELPERS, name)) {
      if (CONDITIONS.includes(name)) {
        return this.#refuse(node, `${name} answers yes or no; use it in {{#if (${name} …)}}.`);
      }
      return this.#call(node, scope);
    }
    this.#noHash(node.hash);
    if (name === 'unsubscribeUrl') return this.#linkCall(node, 'unsubscribeUrl', '', scope);
    return this.#shown(path as hbs.AST.PathExpression, scope);
  }

  #link(node: hbs.AST.MustacheStatement, scope: Scope): void {
    const [target] = node.params;
    this.#noHash(node.hash);
    if (node.params.length !== 1 || target?.type !== 'StringLiteral') {
      const message =
        'a link has a fixed target; expected such as {{link "/sale"}}, or {{productLink sku}}.';
      return this.#refuse(node, message);
    }
    return this.#linkCall(node, 'link', (target as hbs.AST.StringLiteral).value, scope);
  }

  #linkCall(node: Node, name: LinkCall['name'], target: string, scope: Scope): void {
    this.calls.push({
      name,
      offset: this.#offsetAt(node.loc.start),
      target,
      isAlways: scope.depth === 0,
    });
  }

  /** A helper call that gives a value, as a statement or in parentheses. */
  #call(node: hbs.AST.MustacheStatement | hbs.AST.SubExpression, scope: Scope): void {
    const name =
      node.path.type === 'PathExpression' ? (node.path as hbs.AST.PathExpression).original : '';
    const helper = Object.hasOwn(VALUE_HELPERS, name) ? VALUE_HELPERS[name] : undefined;
    if (!helper) {
      const near = didYouMean(name, [...Object.keys(VALUE_HELPERS), 'link']);
      const advice = near ? `did you mean "${near}"?` : `expected one of ${SHOWN_HELPERS}.`;
      return this.#refuse(node, `there is no helper "${name}"; ${advice}`);
    }
    this.#noHash(node.hash);
    if (node.params.length < helper.least || node.params.length > helper.most) {
      const count =
        helper.least === helper.most ? helper.least : `${helper.least} to ${helper.most}`;
      return this.#refuse(
        node,
        `${name} takes ${count} value${helper.most === 1 ? '' : 's'}, not ${node.params.length}.`,
      );
    }
    if (name === 'productLink') return this.#productLink(node, scope);
    if (name === 'money') this.#use('shop.currency', node, true);
    const isCondition = CONDITIONS.includes(name);
    for (const [index, param] of node.params.entries()) {
      const isOptional = isCondition || (name === 'fallback' && index < node.params.length - 1);
      this.#value(param, scope, isOptional, isCondition);
    }
  }

  #productLink(node: hbs.AST.MustacheStatement | hbs.AST.SubExpression, scope: Scope): void {
    const [param] = node.params;
    const target =
      param?.type === 'PathExpression' ? resolvePath(param as hbs.AST.PathExpression, scope) : null;
    // Only a product's own number may choose the target: what a person wrote must not.
    if (target?.kind !== 'field' || target.field !== 'products[].sku') {
      return this.#refuse(
        node,
        'productLink takes the sku of a product, such as {{productLink sku}}.',
      );
    }
    if (node.type === 'SubExpression') {
      return this.#refuse(
        node,
        'productLink is a link of its own; expected href="{{productLink sku}}".',
      );
    }
    this.#use(target.field, node, true);
    return this.#linkCall(node, 'productLink', '', scope);
  }

  #value(node: Node, scope: Scope, isOptional: boolean, mayBeRecord: boolean): void {
    switch (node.type) {
      case 'StringLiteral':
      case 'NumberLiteral':
      case 'BooleanLiteral':
        return undefined;
      case 'SubExpression':
        return this.#call(node as hbs.AST.SubExpression, scope);
      case 'PathExpression': {
        const target = resolvePath(node as hbs.AST.PathExpression, scope);
        if (target.kind === 'field' && target.isFirst && !scope.guards.has('products')) {
          return this.#refuse(
            node,
            'there may be no products; expected it inside {{#if products}}.',
          );
        }
        if (target.kind === 'field') {
          return this.#use(
            target.field,
            node,
            isOptional || isGuarded(target.field, scope.guards),
            scope,
          );
        }
        if (target.kind === 'loop' || target.kind === 'variable') return undefined;
        if (mayBeRecord && target.kind === 'products') return this.#use('products', node, true);
        if (mayBeRecord && target.kind === 'record') return this.#use(target.name, node, true);
        return this.#refuse(node, target.kind === 'fault' ? target.message : NOT_A_VALUE);
      }
      default:
        return this.#refuse(node, `${node.type} is not allowed here; expected a field or a text.`);
    }
  }

  #shown(path: hbs.AST.PathExpression, scope: Scope): void {
    this.#value(path, scope, false, false);
  }

  #block(node: hbs.AST.BlockStatement, scope: Scope): void {
    const name = node.path.type === 'PathExpression' ? node.path.original : '';
    if (!(BLOCK_HELPERS as readonly string[]).includes(name) || node.params.length !== 1) {
      return this.#refuse(
        node,
        'expected {{#if …}}, {{#unless …}}, {{#each products}} or {{#with …}}.',
      );
    }
    if (this.#source.text.startsWith('{{{{', this.#offsetAt(node.loc.start))) {
      return this.#refuse(node, 'a raw block is not allowed in a mail.');
    }
    this.#noHash(node.hash);
    const [param] = node.params as [Node];
    const body = node.program as Program | undefined;
    const otherwise = node.inverse as Program | undefined;
    const deeper = { ...scope, depth: scope.depth + 1 };
    if (name === 'if' || name === 'unless') {
      this.#value(param, scope, true, true);
      const { yes, no } = guardsOf(param, scope);
      const [whenYes, whenNo] = name === 'if' ? [body, otherwise] : [otherwise, body];
      if (whenYes) this.program(whenYes, guarded(deeper, yes));
      if (whenNo) this.program(whenNo, guarded(deeper, no));
      return undefined;
    }
    const inner = this.#innerScope(name as 'each' | 'with', param, body?.blockParams ?? [], deeper);
    if (inner && body) this.program(body, inner);
    if (otherwise) this.program(otherwise, deeper);
  }

  #innerScope(
    name: 'each' | 'with',
    param: Node,
    blockParams: readonly string[],
    scope: Scope,
  ): Scope | null {
    const target =
      param.type === 'PathExpression' ? resolvePath(param as hbs.AST.PathExpression, scope) : null;
    if (name === 'each' ? target?.kind !== 'products' : target?.kind !== 'record') {
      const expected = name === 'each' ? '{{#each products}}' : '{{#with offer}}';
      this.#refuse(param, target?.kind === 'fault' ? target.message : `expected ${expected}.`);
      return null;
    }
    const entered: Target = name === 'each' ? { kind: 'record', name: 'products[]' } : target!;
    this.#use(name === 'each' ? 'products' : (entered as { name: string }).name, param, true);
    const names = new Map(scope.names);
    const [first, second] = blockParams;
    if (first) names.set(first, entered);
    if (second) names.set(second, { kind: 'loop' });
    const guards = new Set(scope.guards);
    if (entered.kind === 'record') guards.add(entered.name);
    return { ...scope, target: entered, names, parent: scope, guards };
  }

  #use(field: string, node: Node, isSafe: boolean, scope?: Scope): void {
    const offset = this.#offsetAt(node.loc.start);
    const length = this.#offsetAt(node.loc.end) - offset;
    this.uses.push({
      field,
      offset,
      length,
      isSafe: isSafe || !mayBeMissing(field),
      isInOffer: scope?.guards.has('offer') ?? false,
      isAlways: scope?.depth === 0,
    });
  }

  #noHash(hash: hbs.AST.Hash | undefined): void {
    const [pair] = hash?.pairs ?? [];
    if (pair)
      this.#refuse(pair, `named values are for partials only; "${pair.key}" is not allowed.`);
  }

  #refuse(node: Node, message: string): void {
    if (this.#problems.length >= PROBLEMS_MAX) return;
    const offset = this.#offsetAt(node.loc.start);
    const length = this.#offsetAt(node.loc.end) - offset;
    this.#problems.push(this.#source.problem(offset, length, message));
  }
}

const SHOWN_HELPERS = [...Object.keys(VALUE_HELPERS), 'link'].join(', ');
const NOT_A_VALUE =
  'this is a group of fields, not a value; expected such as {{person.firstName}}.';
