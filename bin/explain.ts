import { parseSpan } from '../domain/campaign.ts';
import { MODE } from '../domain/ledger.ts';
import type { ClauseExplanation } from '../domain/segment-words.ts';
import { explain as explainModel } from '../models/explain/explain.ts';
import { sentence } from '../models/explain/sentence.ts';
import { binaryModelFromJSON } from '../models/registry.ts';
import { memberOf } from '../store/audience.ts';
import { campaignById } from '../store/campaigns.ts';
import { messageOf, reasonName } from '../store/ledger.ts';
import { modelVersion, scoreOf } from '../store/models.ts';
import { shopTimeZone } from '../store/segments.ts';
import { explainSegment } from '../store/warehouse/segment-sql.ts';
import type { Demo } from './demo/context.ts';
import { personByExternalId } from './person.ts';

const STATES: Record<number, string> = {
  1: 'reserved',
  3: 'handed over',
  10: 'sent',
  11: 'skipped',
  12: 'bounced',
  13: 'expired',
  14: 'unknown',
};

/** Promise 4: the whole chain of one person in one campaign, from segment clause to SMTP reply and click. */
export async function explain(
  demo: Pick<Demo, 'db' | 'warehouse'>,
  campaignId: string,
  externalId: string,
): Promise<{ data: unknown; text: string }> {
  const { db, warehouse } = demo;
  const row = await campaignById(db, campaignId);
  const person = await personByExternalId(db, externalId);
  const member = await memberOf(db, row.no, person.id);
  const atMs = row.snapshotAtMs ?? Date.now();
  const why = await explainSegment(warehouse, row.definition.audience.segment, person.id, atMs, {
    timeZone: await shopTimeZone(db),
  });
  const scored = await explainScores(
    demo,
    person.id,
    row.definition.audience.score?.model ?? 'order-30d',
  );
  const message = await messageOf(db, row.no, person.id);
  const events = await reactionsOf(db, person.id, row);
  const data = {
    campaign: row.id,
    person: externalId,
    snapshotAt: new Date(atMs),
    why,
    member,
    scored,
    message,
    events,
  };
  const lines = [
    `${row.definition.name} (${row.id}) and customer ${externalId}`,
    '',
    `1. Segment, as of ${new Date(atMs).toISOString()}: ${why.holds ? 'a member' : 'NOT a member'}`,
    ...explanationLines(why, '     '),
    ...scoreLines(scored),
    ...memberLines(member),
    ...messageLines(row, message),
    '5. What came back',
    ...(events.length > 0
      ? events.map(
          (event) =>
            `     ${event.at.toISOString()}  ${event.type}${event.detail ? `  ${event.detail}` : ''}`,
        )
      : ['     nothing so far']),
  ];
  return { data, text: lines.join('\n') };
}

/** The tree of a segment in words, with what was found of the person. */
export function explanationLines(node: ClauseExplanation, indent: string): string[] {
  const mark = node.holds ? '✓' : '✗';
  const found = node.found ? ` (${node.found})` : '';
  if (!node.parts) return [`${indent}${mark} ${node.words}${found}`];
  return node.parts.flatMap((part) => explanationLines(part, indent + (part.parts ? '  ' : '')));
}

async function explainScores({ db }: Pick<Demo, 'db'>, personId: number, model: string) {
  const [score, cluster] = await Promise.all([
    scoreOf(db, model, personId),
    scoreOf(db, 'rfm', personId),
  ]);
  if (!score) return { model, score: null, cluster: cluster?.cluster ?? null };
  const stored = await modelVersion(db, score.version);
  const fitted = binaryModelFromJSON(stored.blob);
  const names = stored.card['features'] as string[];
  const explanation = explainModel(fitted, score.features, { names });
  return {
    model,
    score: score.value,
    version: score.version,
    at: score.at,
    cluster: cluster?.cluster ?? null,
    clusterVersion: cluster?.version ?? null,
    base: explanation.base,
    sentence: sentence(explanation.contributions),
    contributions: explanation.contributions.slice(0, 6),
    metrics: stored.card['metrics'],
    baseline: stored.card['baseline'],
  };
}

type Scored = Awaited<ReturnType<typeof explainScores>>;

function scoreLines(scored: Scored): string[] {
  const cluster = scored.cluster ? `     cluster: ${scored.cluster}` : '     no cluster';
  if (scored.score === null) return [`2. Score ${scored.model}: none`, cluster];
  const auc = (scored.metrics as { rocAuc?: number } | undefined)?.rocAuc;
  return [
    `2. Score ${scored.model} (version ${scored.version}, ROC AUC ${auc?.toFixed(3) ?? '–'} on a later slice): ${scored.score.toFixed(3)}, the average is ${scored.base.toFixed(3)}`,
    `     ${scored.sentence}`,
    ...scored.contributions.map(
      (c) =>
        `     ${c.contribution >= 0 ? '+' : '−'}${Math.abs(c.contribution).toFixed(3)}  ${c.feature} = ${Number.isNaN(c.value) ? 'missing' : Math.round(c.value * 100) / 100}`,
    ),
    cluster,
  ];
}

function memberLines(member: Awaited<ReturnType<typeof memberOf>>): string[] {
  if (!member) return ['3. Audience: not in the frozen audience'];
  const arm = member.holdout ? 'held out, to compare with' : 'treated';
  const flaws = [
    member.eligible ? null : 'could not be mailed',
    member.duplicate ? 'shares a mailbox' : null,
  ];
  return [
    `3. Audience: number ${member.seq}, ${arm}${flaws
      .filter(Boolean)
      .map((flaw) => `, ${flaw}`)
      .join('')}`,
  ];
}

function messageLines(
  row: Awaited<ReturnType<typeof campaignById>>,
  message: Awaited<ReturnType<typeof messageOf>>,
): string[] {
  if (!message) return ['4. Message: none'];
  const variant = row.definition.variants[message.variant];
  const mode = Object.entries(MODE).find(([, n]) => n === message.mode)?.[0];
  const products = (message.decision?.['products'] as string[] | undefined) ?? [];
  return [
    `4. Message (${mode}): ${STATES[message.state]}${message.reason ? `, ${reasonName(message.reason)}` : ''}`,
    ...(message.variantP > 0
      ? [
          `     variant ${variant?.id} with probability ${message.variantP.toFixed(2)}${variant?.offer ? `, offer ${variant.offer.id}` : ', no offer'}`,
        ]
      : []),
    ...(products.length > 0 ? [`     products ${products.join(', ')}`] : []),
    ...(message.handedAt
      ? [`     handed over at ${message.handedAt.toISOString()} (attempt ${message.attempt})`]
      : []),
    ...(message.settledAt ? [`     settled at ${message.settledAt.toISOString()} shop time`] : []),
    ...(message.reply ? [`     SMTP said: ${message.reply}`] : []),
  ];
}

/** Opens and clicks of this campaign's mail, and the person's goal events from its launch on. */
async function reactionsOf(
  db: Demo['db'],
  personId: number,
  row: Awaited<ReturnType<typeof campaignById>>,
) {
  const { rows } = await db.query<{ at: Date; type: string; detail: string | null }>(
    `select at, type, case
       when properties ? 'total' then (properties ->> 'total') || ' ' || coalesce(properties ->> 'currency', '')
       when properties ->> 'machine' = 'true' then 'by a machine'
       else properties ->> 'link' end as detail
     from event where person_id = $1 and at < shop_now()
       and not exists (select from event_superseded s where s.event_id = event.id) and (
       properties ->> 'campaign' = $2
       or (type in ($3, 'Unsubscribed') and at >= to_timestamp($4::double precision / 1000)
         and at < to_timestamp($4::double precision / 1000) + $5 * interval '1 millisecond'))
     order by at limit 50`,
    [
      personId,
      row.id,
      row.definition.goal.event,
      row.launchedAtMs,
      parseSpan(row.definition.goal.window),
    ],
  );
  return rows;
}
