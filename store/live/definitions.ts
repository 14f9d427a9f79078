import { hash } from 'node:crypto';
import { EVENT } from '../../domain/records.ts';
import type { ShopContext } from '../../domain/segment-eval.ts';
import { type SegmentDependencies, segmentDependencies } from '../../domain/segment-live.ts';
import { resolveSegment } from '../../domain/segment-references.ts';
import type { Segment } from '../../domain/segment.ts';
import { isEventProperty } from '../../domain/segment-terms.ts';
import { LINE_TYPE } from '../../domain/warehouse-rows.ts';
import type { Queryable } from '../postgres.ts';
import { savedSegments, shopTimeZone } from '../segments.ts';
import type { WantedFacts } from '../warehouse/facts.ts';

/** A saved segment as it is kept up. */
export interface LiveSegment {
  readonly name: string;
  /** With its references resolved. */
  readonly segment: Segment;
  readonly needs: SegmentDependencies;
  /** Changes whenever the same facts may give another answer: by its text, that of others, or the shop's zone. */
  readonly meaning: string;
}

export interface LiveDefinitions {
  readonly shop: ShopContext;
  readonly segments: readonly LiveSegment[];
}

/** All saved segments; one whose references do not resolve (which saving refuses) is left out. */
export async function liveDefinitions(db: Queryable): Promise<LiveDefinitions> {
  const [saved, timeZone] = await Promise.all([savedSegments(db), shopTimeZone(db)]);
  const segments = [...saved].flatMap(([name, written]): LiveSegment[] => {
    const { segment } = resolveSegment(written, saved, name);
    if (!segment) return [];
    const meaning = hash('sha256', JSON.stringify([segment, timeZone]), 'hex').slice(0, 32);
    return [{ name, segment, needs: segmentDependencies(segment), meaning }];
  });
  return { shop: { timeZone }, segments };
}

/** What must be known of people to answer these segments. */
export function wantedOf(segments: readonly LiveSegment[], nowMs: number): WantedFacts {
  const all = segments.map(({ needs }) => needs);
  const events = new Set(all.flatMap((needs) => [...(needs.events ?? [])]));
  // Clauses with a category or a product look at the lines.
  if (events.has(EVENT.orderCompleted)) events.add(LINE_TYPE.purchased);
  if (events.has(EVENT.orderRefunded)) events.add(LINE_TYPE.returned);
  return {
    types: all.some((needs) => needs.events === null) ? null : [...events],
    ownProperties: all.some((needs) =>
      [...needs.properties].some((name) => !isEventProperty(name)),
    ),
    scores: [...new Set(all.flatMap((needs) => [...needs.scores]))],
    clusters: all.some((needs) => needs.clusters),
    nowMs,
  };
}
