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
