import { invalidJson } from '../check.ts';
import { pack, unpack } from '../codec.ts';

/** How a node reads a row's code: which side a missing value takes, or a set of categories. */
export const MISSING_LEFT = 0;
export const MISSING_RIGHT = 1;
export const CATEGORIES = 2;
/** 32-bit words of a set of codes. */
export const SET_WORDS = 8;

/**
 * Trees in flat arrays. A node's left child is the next node; `right` is the place of its right child within the same
 * tree. A leaf has feature −1.
 */
export interface Trees {
  /** Where each tree begins, and at the end the count of all nodes. */
  readonly start: Int32Array;
  /** Column that the node asks about, or −1. */
  readonly feature: Int32Array;
  /** MISSING_LEFT, MISSING_RIGHT or CATEGORIES. */
  readonly rule: Uint8Array;
  /** A row goes left where its code is from 1 to this; where categories are asked, unused. */
  readonly split: Uint8Array;
  readonly right: Int32Array;
  /** Prediction of the node, if the walk ended there. */
  readonly value: Float64Array;
  /** Training rows in the node, counted as often as they were drawn. */
  readonly cover: Int32Array;
  /** Of nodes that ask for categories, the place of their set in `sets`; else 0. */
  readonly set: Int32Array;
  /** Sets of codes that go left, SET_WORDS each. */
  readonly sets: Int32Array;
}

/** Whether a code goes left at a node. */
export function goesLeft({ rule, split, set, sets }: Trees, node: number, code: number): boolean {
  const asked = rule[node]!;
  if (asked === CATEGORIES) {
    return ((sets[SET_WORDS * set[node]! + (code >> 5)]! >>> (code & 31)) & 1) === 1;
  }
  // A missing value wraps around above all codes where it goes right.
  return asked === MISSING_LEFT ? code <= split[node]! : ((code + 255) & 255) < split[node]!;
}

/** What a node asks. */
export interface Question {
  readonly feature: number;
  readonly rule: number;
  readonly split: number;
  readonly set: Int32Array;
}

/** Collects trees node by node, each tree in the order of a walk that goes left first. */
export class TreesBuilder {
  readonly #start: number[] = [0];
  readonly #feature: number[] = [];
  readonly #rule: number[] = [];
  readonly #split: number[] = [];
  readonly #right: number[] = [];
  readonly #value: number[] = [];
  readonly #cover: number[] = [];
  readonly #set: number[] = [];
  readonly #sets: number[] = [];

  /** A new node, a leaf until `ask` says otherwise. */
  add(value: number, cover: number): number {
    this.#feature.push(-1);
    this.#rule.push(0);
    this.#split.push(0);
    this.#right.push(0);
    this.#value.push(value);
    this.#cover.push(cover);
    this.#set.push(0);
    return this.#feature.length - 1;
  }

  ask(node: number, { feature, rule, split, set }: Question): void {
    this.#feature[node] = feature;
    this.#rule[node] = rule;
    if (rule === CATEGORIES) {
      this.#set[node] = this.#sets.length / SET_WORDS;
      for (let w = 0; w < SET_WORDS; w++) this.#sets.push(set[w]!);
    } else {
      this.#split[node] = split;
    }
  }

  /** Makes `child` the right one of `node`, both of the tree that is growing. */
  link(node: number, child: number): void {
    this.#right[node] = child - this.#start.at(-1)!;
  }

  endTree(): void {
    this.#start.push(this.#feature.length);
  }

  /** Forgets all trees after the first `count`. */
  keep(count: number): void {
    const nodes = this.#start[count]!;
    this.#start.length = count + 1;
    for (const list of [this.#feature, this.#rule, this.#split, this.#right, this.#value]) {
      list.length = nodes;
    }
    this.#cover.length = nodes;
    this.#set.length = nodes;
  }

  /** The newest tree alone. */
  lastTree(): Trees {
    const [from, to] = this.#start.slice(-2) as [number, number];
    const part = (values: readonly number[]): number[] => values.slice(from, to);
    return {
      start: Int32Array.of(0, to - from),
      feature: Int32Array.from(part(this.#feature)),
      rule: Uint8Array.from(part(this.#rule)),
      split: Uint8Array.from(part(this.#split)),
      right: Int32Array.from(part(this.#right)),
      value: Float64Array.from(part(this.#value)),
      cover: Int32Array.from(part(this.#cover)),
      set: Int32Array.from(part(this.#set)),
      sets: Int32Array.from(this.#sets),
    };
  }

  trees(): Trees {
    return {
      start: Int32Array.from(this.#start),
      feature: Int32Array.from(this.#feature),
      rule: Uint8Array.from(this.#rule),
      split: Uint8Array.from(this.#split),
      right: Int32Array.from(this.#right),
      value: Float64Array.from(this.#value),
      cover: Int32Array.from(this.#cover),
      set: Int32Array.from(this.#set),
      sets: Int32Array.from(this.#sets),
    };
  }
}

/** Trees as one, in this order; what threads grew apart. */
export function joinTrees(parts: readonly Trees[]): Trees {
  const all = <K extends Exclude<keyof Trees, 'start' | 'set'>>(key: K): number[] =>
    parts.flatMap((part) => Array.from(part[key]));
  const start = [0];
  const set: number[] = [];
  let sets = 0;
  for (const part of parts) {
    const first = start.at(-1)!;
    for (const end of part.start.subarray(1)) start.push(first + end);
    for (let node = 0; node < part.set.length; node++) {
      set.push(part.rule[node] === CATEGORIES ? part.set[node]! + sets : 0);
    }
    sets += part.sets.length / SET_WORDS;
  }
  return {
    start: Int32Array.from(start),
    feature: Int32Array.from(all('feature')),
    rule: Uint8Array.from(all('rule')),
    split: Uint8Array.from(all('split')),
    right: Int32Array.from(all('right')),
    value: Float64Array.from(all('value')),
    cover: Int32Array.from(all('cover')),
    set: Int32Array.from(set),
    sets: Int32Array.from(all('sets')),
  };
}

export type PackedTrees = { readonly [K in keyof Trees]: string };

export function packTrees(trees: Trees): PackedTrees {
  const entries = Object.entries(trees) as [keyof Trees, Trees[keyof Trees]][];
  return Object.fromEntries(entries.map(([key, values]) => [key, pack(values)])) as PackedTrees;
}

/** Reads trees, and refuses those whose walk would not end. */
export function unpackTrees(stored: unknown, kind: string, columns: number): Trees {
  if (typeof stored !== 'object' || stored === null) throw invalidJson(kind, 'it has no trees');
  const packed = stored as Partial<PackedTrees>;
  const start = unpack(packed.start, 'i32');
  const nodes = start.at(-1) ?? 0;
  const trees: Trees = {
    start,
    feature: unpack(packed.feature, 'i32', nodes),
    rule: unpack(packed.rule, 'u8', nodes),
    split: unpack(packed.split, 'u8', nodes),
    right: unpack(packed.right, 'i32', nodes),
    value: unpack(packed.value, 'f64', nodes),
    cover: unpack(packed.cover, 'i32', nodes),
    set: unpack(packed.set, 'i32', nodes),
    sets: unpack(packed.sets, 'i32'),
  };
  checkTrees(trees, kind, columns);
  return trees;
}

/** A walk through the trees must end: every right child lies ahead and inside its tree. */
function checkTrees(trees: Trees, kind: string, columns: number): void {
  const { start, feature, right, rule, set, sets } = trees;
  if (start.length < 2 || start[0] !== 0) throw invalidJson(kind, 'it has no trees');
  for (let t = 0; t < start.length - 1; t++) {
    const size = start[t + 1]! - start[t]!;
    for (let node = 0; node < size; node++) {
      const at = start[t]! + node;
      if (feature[at]! < 0) continue;
      const inside =
        feature[at]! < columns && right[at]! > node + 1 && right[at]! < size && rule[at]! < 3;
      const known =
        rule[at] !== CATEGORIES || (set[at]! >= 0 && SET_WORDS * (set[at]! + 1) <= sets.length);
      if (!inside || !known) throw invalidJson(kind, `node ${node} of tree ${t} points nowhere`);
    }
    if (size < 1 || feature[start[t + 1]! - 1]! >= 0) {
      throw invalidJson(kind, `tree ${t} does not end in a leaf`);
    }
  }
}
