import { didYouMean } from '../domain/problem.ts';
import { RECORD_FIELDS, ROOT_FIELDS, type RecordName } from './data.ts';
import type { Node } from './engine.ts';

/** What the names in a template mean at each place, by the contract of `data.ts`. */
export type Target =
  | { readonly kind: 'root' | 'products' | 'loop' | 'variable' }
  | { readonly kind: 'record'; readonly name: RecordName; readonly isFirst?: boolean }
  | { readonly kind: 'field'; readonly field: string; readonly isFirst?: boolean }
  | { readonly kind: 'fault'; readonly message: string };

export interface Scope {
  readonly target: Target;
  readonly names: ReadonlyMap<string, Target>;
  readonly parent: Scope | null;
  /** Fields that a condition around has found to be there. */
  readonly guards: ReadonlySet<string>;
  readonly depth: number;
  /** Whether the freezer's own variables may stand here. */
  readonly isFrozen: boolean;
}

export function rootScope(isFrozen: boolean): Scope {
  return {
    target: { kind: 'root' },
    names: new Map(),
    parent: null,
    guards: new Set(),
    depth: 0,
    isFrozen,
  };
}

/** What the freezer writes into a template in place of links, and an author must not. */
const VARIABLES = ['linkPrefix', 'openUrl', 'unsubscribeUrl', 'preheader'];
const LOOP_VARIABLES = ['index', 'first', 'last'];

/** What a name means at its place. */
export function resolvePath(path: hbs.AST.PathExpression, scope: Scope): Target {
  const { parts, original } = path;
  const hidden = parts.find((part) => part.startsWith('_') || FORBIDDEN.has(part));
  if (hidden) return fault(`"${hidden}" is no field of a mail.`);
  if (path.data) return variable(path, scope);
  let context: Scope | null = scope;
  for (let up = path.depth; up > 0 && context; up--) context = context.parent;
  if (!context) return fault(`"${original}" leads out of the data.`);
  const rest = [...parts];
  let target = context.target;
  const isPlain = path.depth === 0 && !/^(?:\.\/|this\b)/.test(original);
  if (isPlain && scope.names.has(rest[0] ?? '')) target = scope.names.get(rest.shift()!)!;
  for (const part of rest) target = member(target, part);
  return target;
}

function variable(path: hbs.AST.PathExpression, scope: Scope): Target {
  const [name = '', ...more] = path.parts;
  const isAlone = more.length === 0 && path.depth === 0;
  if (isAlone && scope.isFrozen && VARIABLES.includes(name)) return { kind: 'variable' };
  if (isAlone && scope.parent && LOOP_VARIABLES.includes(name)) return { kind: 'loop' };
  return fault(
    `there is no "${path.original}" here; expected @index, @first or @last in {{#each}}.`,
  );
}

/** Which fields are there when the condition holds, and when it does not. */
export function guardsOf(node: Node, scope: Scope): { yes: string[]; no: string[] } {
  if (node.type === 'PathExpression') {
    const target = resolvePath(node as hbs.AST.PathExpression, scope);
    if (target.kind === 'field') return { yes: [target.field], no: [] };
    if (target.kind === 'products') return { yes: ['products'], no: [] };
    return { yes: target.kind === 'record' ? [target.name] : [], no: [] };
  }
  if (node.type !== 'SubExpression') return { yes: [], no: [] };
  const { path, params } = node as hbs.AST.SubExpression;
  const inner = params.map((param) => guardsOf(param, scope));
  if (path.original === 'and') return { yes: inner.flatMap(({ yes }) => yes), no: [] };
  if (path.original === 'not') return { yes: inner[0]?.no ?? [], no: inner[0]?.yes ?? [] };
  return { yes: [], no: [] };
}

const FORBIDDEN: ReadonlySet<string> = new Set([
  ...Object.getOwnPropertyNames(Object.prototype),
  ...Object.getOwnPropertyNames(Function.prototype).filter((name) => name !== 'name'),
  'prototype',
]);

export function fault(message: string): Target {
  return { kind: 'fault', message };
}

function member(target: Target, part: string): Target {
  switch (target.kind) {
    case 'root':
      if (part === 'products') return { kind: 'products' };
      if ((ROOT_FIELDS as readonly string[]).includes(part)) return { kind: 'field', field: part };
      if (part !== 'products[]' && Object.hasOwn(RECORD_FIELDS, part)) {
        return { kind: 'record', name: part as RecordName };
      }
      return fault(unknownField(part, ROOT_NAMES, ''));
    case 'products':
      return part === '0'
        ? { kind: 'record', name: 'products[]', isFirst: true }
        : fault(`"${part}" is no product; expected {{#each products}} or products.0.`);
    case 'record': {
      const fields: readonly string[] | null = RECORD_FIELDS[target.name];
      if (fields && !fields.includes(part)) {
        const outer = ROOT_NAMES.includes(part) ? ` Outside of the block it is ../${part}.` : '';
        return fault(unknownField(part, fields, ` of ${target.name}`) + outer);
      }
      return {
        kind: 'field',
        field: `${target.name}.${part}`,
        isFirst: target.isFirst ?? false,
      };
    }
    case 'field':
      return fault(`"${target.field}" is a single value and has no "${part}".`);
    case 'loop':
    case 'variable':
      return fault(`"${part}" is no field.`);
    case 'fault':
      return target;
  }
}

const ROOT_NAMES = ['person', 'shop', 'campaign', 'variant', 'offer', 'products', ...ROOT_FIELDS];

function unknownField(part: string, known: readonly string[], of: string): string {
  const near = didYouMean(part, known);
  const advice = near ? `did you mean "${near}"?` : `expected one of ${known.join(', ')}.`;
  return `there is no field "${part}"${of}; ${advice}`;
}

export function guarded(scope: Scope, fields: readonly string[]): Scope {
  return fields.length === 0 ? scope : { ...scope, guards: new Set([...scope.guards, ...fields]) };
}

export function isGuarded(field: string, guards: ReadonlySet<string>): boolean {
  // An offer that is there has an id and a label.
  const isOfOffer = field === 'offer.id' || field === 'offer.label';
  return guards.has(field) || (isOfOffer && guards.has('offer'));
}
