import { FEATURES } from '../../domain/features.ts';
import { compareValues } from '../../domain/segment-compare.ts';
import type { Segment } from '../../domain/segment.ts';
import { type LeafNode, leavesOf, meaningOf, nodeOf } from '../../domain/segment-terms.ts';

/** What a segment's tree tells before anything is asked, so that the query can begin where the fewest people are. */

/** The parts that must all hold. */
export function conjunctsOf(segment: Segment): Segment[] {
  const node = nodeOf(segment);
  if (node.kind === 'all') return node.parts.flatMap(conjunctsOf);
  if (node.kind === 'segment') return conjunctsOf(meaningOf(node.clause));
  return [segment];
}

/** Whether a segment asks for nothing but a person's events. */
export function isOfEvents(segment: Segment): boolean {
  const leaves = leavesOf(segment);
  return (
    leaves.length > 0 &&
    leaves.every(({ kind }) => ['event', 'sequence', 'list', 'feature'].includes(kind))
  );
}

/** Whether somebody is a member who has no event at all; null where that depends on something else. */
export function emptyTruth(segment: Segment): boolean | null {
  const node = nodeOf(segment);
  switch (node.kind) {
    case 'all':
    case 'any': {
      const decides = node.kind === 'any';
      const parts = node.parts.map(emptyTruth);
      if (parts.includes(decides)) return decides;
      return parts.includes(null) ? null : !decides;
    }
    case 'not': {
      const inner = emptyTruth(node.part);
      return inner === null ? null : !inner;
    }
    case 'segment':
      return emptyTruth(meaningOf(node.clause));
    case 'leaf':
      return emptyLeaf(node.leaf);
    default:
      return node satisfies never;
  }
}

function emptyLeaf({ kind, clause }: LeafNode): boolean | null {
  if (kind === 'event') {
    const { measure = 'count', is, value } = clause;
    const counts = measure === 'count' || measure === 'sum' || measure === 'distinct';
    return compareValues(is, counts ? 0 : null, value);
  }
  if (kind === 'feature') {
    const { formula } = FEATURES.get(clause.feature)!;
    if (formula.kind !== 'count' && formula.kind !== 'sum') return false;
    return compareValues(clause.is, 0, clause.value);
  }
  return kind === 'sequence' || kind === 'list' ? false : null;
}

/** How few rows a part needs, by how it narrows them: a category or a product, other properties, a window. */
function narrowness(part: Segment): number {
  const ranks = leavesOf(part).map(({ kind, clause }) => {
    if (kind !== 'event') return 0;
    const { where = {}, within, since } = clause;
    const indexed = 'category' in where || 'sku' in where ? 2 : 0;
    return indexed + (Object.keys(where).length > 0 ? 1 : 0) + ((within ?? since) ? 2 : 0);
  });
  return Math.min(...ranks);
}

/** Narrow enough to be asked first, and twice. */
const NARROW = 3;

/** Of parts that must all hold: the one that few people fulfil, none without an event; null where none is so narrow. */
export function driverOf(parts: readonly Segment[]): Segment | null {
  if (parts.length < 2) return null;
  const [best] = parts
    .filter((part) => isOfEvents(part) && emptyTruth(part) === false)
    .map((part) => ({ part, rank: narrowness(part) }))
    .sort((a, b) => b.rank - a.rank);
  return best && best.rank >= NARROW ? best.part : null;
}
