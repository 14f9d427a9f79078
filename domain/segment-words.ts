import { describeClause, describeMeasured, type Measured } from './segment-phrases.ts';
import type { Segment } from './segment.ts';
import { meaningOf, nodeOf } from './segment-terms.ts';

export { describeClause, describeMeasured, type Measured };

/** A segment in a marketer's words, such as "ordered for at least 100.00 in the last 365 days". */
export function describeSegment(segment: Segment): string {
  const node = nodeOf(segment);
  switch (node.kind) {
    case 'all':
      if (node.parts.length === 0) return 'everybody';
      return node.parts.map((part) => grouped(part, node.parts.length)).join(' and ');
    case 'any':
      if (node.parts.length === 0) return 'nobody';
      return node.parts.map((part) => grouped(part, node.parts.length)).join(' or ');
    case 'not':
      return `not (${describeSegment(node.part)})`;
    case 'segment':
      return `is in the segment "${node.clause.segment}"`;
    case 'leaf':
      return describeClause(node.leaf.clause);
    default:
      return node satisfies never;
  }
}

/** Parentheses where an `and` stands in an `or`, or the other way round. */
function grouped(part: Segment, siblings: number): string {
  const node = nodeOf(part);
  const several = (node.kind === 'all' || node.kind === 'any') && node.parts.length > 1;
  return several && siblings > 1 ? `(${describeSegment(part)})` : describeSegment(part);
}

/** What one clause, in the order of `leavesOf`, turned out to be for a person. */
export interface ClauseAnswer {
  holds: boolean;
  measured: Measured;
}

/** The truth of a segment and of each of its parts for one person. */
export interface ClauseExplanation {
  /** What is asked for. */
  readonly words: string;
  readonly holds: boolean;
  /** What is true of the person; of a clause only. */
  readonly found?: string;
  readonly measured?: Measured;
  readonly parts?: readonly ClauseExplanation[];
}

/** Puts the answers to the clauses together as the segment does. */
export function explainFromAnswers(
  segment: Segment,
  answers: readonly ClauseAnswer[],
): ClauseExplanation {
  let next = 0;
  const explain = (part: Segment): ClauseExplanation => {
    const node = nodeOf(part);
    const words = describeSegment(part);
    switch (node.kind) {
      case 'all':
      case 'any': {
        const parts = node.parts.map(explain);
        const holds =
          node.kind === 'all' ? parts.every((p) => p.holds) : parts.some((p) => p.holds);
        return { words, holds, parts };
      }
      case 'not': {
        const inner = explain(node.part);
        return { words, holds: !inner.holds, parts: [inner] };
      }
      case 'segment': {
        const inner = explain(meaningOf(node.clause));
        return { words, holds: inner.holds, parts: [inner] };
      }
      case 'leaf': {
        const { holds, measured } = answers[next++]!;
        const found = describeMeasured(node.leaf.clause, measured);
        return { words, holds, found, measured };
      }
      default:
        return node satisfies never;
    }
  };
  return explain(segment);
}
