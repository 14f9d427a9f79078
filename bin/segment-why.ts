import type { ClauseExplanation } from '../domain/segment-words.ts';
import { savedSegments, segmentByName } from '../store/segments.ts';
import { explainSegment } from '../store/warehouse/segment-sql.ts';
import type { Demo } from './demo/context.ts';
import { explanationLines } from './explain.ts';
import { personByExternalId } from './person.ts';
import { readSegment } from './segment-file.ts';

interface Answer {
  segment: string;
  member: boolean;
  explanation: ClauseExplanation;
}

/** Why a person is in segments, or is not: with names these, else all saved ones that the question is true of. */
export async function why(
  { db, warehouse }: Pick<Demo, 'db' | 'warehouse'>,
  externalId: string,
  names: readonly string[],
  options: { nowMs: number; timeZone: string; not: boolean },
): Promise<{ data: { person: string; answers: Answer[] }; text: string }> {
  const person = await personByExternalId(db, externalId);
  const { nowMs, timeZone, not } = options;
  const asked =
    names.length > 0
      ? await Promise.all(
          names.map(async (name) => [name, (await readSegment(db, name)).segment] as const),
        )
      : await Promise.all(
          [...(await savedSegments(db)).keys()].map(
            async (name) => [name, await segmentByName(db, name)] as const,
          ),
        );
  const answers: Answer[] = [];
  for (const [name, segment] of asked) {
    const explanation = await explainSegment(warehouse, segment, person.id, nowMs, { timeZone });
    if (names.length > 0 || explanation.holds !== not) {
      answers.push({ segment: name, member: explanation.holds, explanation });
    }
  }
  const lines = answers.flatMap(({ segment, member, explanation }) => [
    `${externalId} is ${member ? 'in' : 'NOT in'} ${segment}`,
    // The question decides what is told: everything, or only what keeps them out.
    ...explanationLines(not && !member ? deciding(explanation) : explanation, '  '),
  ]);
  const none = `${externalId} is ${not ? 'in all' : 'in none'} of the saved segments.`;
  return {
    data: { person: externalId, answers },
    text: lines.length > 0 ? lines.join('\n') : none,
  };
}

/** The parts that made it what it is: of a failed "all" those that failed, of a held "any" those that held. */
export function deciding(node: ClauseExplanation): ClauseExplanation {
  if (!node.parts) return node;
  const same = node.parts.filter((part) => part.holds === node.holds);
  // Under a "not" the one part is the other way round.
  const parts = (same.length > 0 ? same : node.parts).map(deciding);
  return { ...node, parts };
}
