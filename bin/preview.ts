import { writeFile } from 'node:fs/promises';
import { BUDGET_UNITS, type BudgetReport, budgetReport, messageCost } from '../domain/budget.ts';
import type { Campaign } from '../domain/campaign.ts';
import { type Decision, planMember } from '../domain/plan.ts';
import { snapshotFacts } from '../store/audience.ts';
import { budgetOf } from '../store/budget.ts';
import { runsOf } from '../store/campaigns.ts';
import { shopNowMs } from '../store/clock.ts';
import type { Person } from '../store/people.ts';
import { shopTimeZone } from '../store/segments.ts';
import { chooseProducts } from '../store/warehouse/products.ts';
import { explainSegment } from '../store/warehouse/segment-sql.ts';
import { prepareCampaign } from '../delivery/prepare.ts';
import { simpleParser } from 'mailparser';
import { audienceQuery } from './campaign-deps.ts';
import type { CheckedCampaign } from './campaign-check.ts';
import { openCatalogue, readShop } from './catalogue.ts';
import type { Demo } from './demo/context.ts';
import { budgetText } from './demo/print.ts';
import { explanationLines } from './explain.ts';
import { checkedFile, freeze } from './launch.ts';
import { linkKeys } from './link-keys.ts';
import { personByExternalId } from './person.ts';

interface Preview {
  data: Record<string, unknown>;
  text: string;
}

/** The very mail that a person would get by this file now, and every decision about it. Sends and stores nothing. */
export async function preview(
  demo: Demo,
  file: string,
  externalId: string,
  htmlPath?: string,
): Promise<Preview> {
  const { db, warehouse } = demo;
  const frozen = freeze(await checkedFile(db, file));
  const { campaign } = frozen;
  const person = await personByExternalId(db, externalId);
  const nowMs = await shopNowMs(db);
  const why = await explainSegment(warehouse, campaign.audience.segment, person.id, nowMs, {
    timeZone: await shopTimeZone(db),
  });
  const inAudience = await isMember(demo, campaign, person.id, nowMs);
  const facts = await snapshotFacts(db, person.id, campaign.id);
  const decision = planMember(
    campaign,
    { ...facts, holdout: false },
    { nowMs, deadlineMs: Number.POSITIVE_INFINITY, chosenVariant: null, defaultTimeZone: 'UTC' },
  );
  const variant = decision.kind === 'reserve' ? decision.variant : 0;
  const chosen = frozen.usesProducts
    ? await chooseProducts({ db, warehouse }, [person.id], nowMs)
    : new Map<number, string[]>();
  const products = chosen.get(person.id) ?? [];
  const mail = await renderFor(demo, frozen, person, { variant, products, nowMs });
  if (htmlPath) await writeFile(htmlPath, mail.html || '');
  const variantId = campaign.variants[variant]!.id;
  const budget = await budgetNow(db, campaign, variant);
  return {
    data: {
      campaign: campaign.id,
      person: person.externalId,
      inAudience,
      why,
      decision,
      variant: variantId,
      budget,
      products,
      subject: mail.subject,
      text: mail.text,
    },
    text: [
      `${campaign.name}, for ${person.externalId}: ${inAudience ? 'in the audience' : 'NOT in the audience'}`,
      ...explanationLines(why, '  '),
      decisionLine(decision, variantId),
      ...budgetLines(budget, (await readShop(db)).currency),
      '',
      `Subject: ${mail.subject}`,
      '',
      mail.text ?? '',
      ...(htmlPath ? [`HTML: ${htmlPath}`] : []),
    ].join('\n'),
  };
}

function decisionLine(decision: Decision, variantId: string): string {
  if (decision.kind === 'holdout') return 'Would not be sent: held out.';
  if (decision.kind === 'skip') return `Would not be sent: ${decision.reason}.`;
  const at = new Date(decision.dueMs).toISOString();
  return `Would be sent at ${at}, variant ${variantId} (probability ${decision.variantP.toFixed(2)}), unless the draw holds them out.`;
}

interface BudgetNow extends BudgetReport {
  /** What this very message costs at most. */
  message: number;
}

/** The budget with what the live run of this campaign has committed of it; all of it where it was not launched yet. */
async function budgetNow(
  db: Demo['db'],
  campaign: Campaign,
  variant: number,
): Promise<BudgetNow | null> {
  const live = (await runsOf(db, campaign.id)).find(({ mode }) => mode === 'live');
  const budget = live
    ? await budgetOf(db, { no: live.no, definition: campaign })
    : budgetReport(campaign, { byVariant: [], skipped: 0 });
  return budget && { ...budget, message: messageCost(campaign, variant) / BUDGET_UNITS };
}

function budgetLines(budget: BudgetNow | null, currency: string | null): string[] {
  if (!budget) return [];
  return [`Costs ${budget.message} at most; budget: ${budgetText(budget, currency)}.`];
}

async function isMember(
  { db, warehouse }: Demo,
  campaign: Campaign,
  personId: number,
  nowMs: number,
): Promise<boolean> {
  const query = await audienceQuery({ db, warehouse }, campaign, nowMs);
  const rows = await warehouse.query<{ n: number }>(
    `SELECT count() AS n FROM (${query.sql}) WHERE person_id = {previewed:UInt64}`,
    { ...query.params, previewed: personId },
  );
  return Number(rows[0]!.n) > 0;
}

async function renderFor(
  { db, config }: Demo,
  frozen: ReturnType<typeof freeze>,
  person: Person,
  { variant, products, nowMs }: { variant: number; products: string[]; nowMs: number },
) {
  const catalogue = await openCatalogue(db);
  catalogue.stop();
  const { campaign, templates } = frozen;
  const prepared = prepareCampaign(
    { no: 0, id: campaign.id, definition: campaign, templates },
    {
      shop: await readShop(db),
      publicUrl: config.publicUrl,
      linkKey: linkKeys(config)[0]!,
      clock: { nowMs: () => nowMs },
      products: catalogue.products,
    },
  );
  const { id: personId, externalId, name, country, locale, traits } = person;
  const address = person.address ?? 'nobody@example.invalid';
  const bytes = prepared.build({
    personId,
    externalId,
    variant,
    attempt: 0,
    address,
    name,
    country,
    locale,
    traits,
    decision: { products },
  });
  return simpleParser(bytes);
}

/** Fields that the templates cannot do without, and how many members lack each. */
export async function missingFieldCounts(
  { db, warehouse }: Pick<Demo, 'db' | 'warehouse'>,
  checked: CheckedCampaign,
  campaign: Campaign,
): Promise<{ field: string; people: number }[]> {
  const fields = checked.fieldsWithoutFallback.filter((field) => field.startsWith('person.'));
  if (fields.length === 0) return [];
  const query = await audienceQuery({ db, warehouse }, campaign, await shopNowMs(db));
  const rows = await warehouse.query<{ person_id: number }>(query.sql, query.params);
  const ids = rows.map((row) => Number(row.person_id));
  const counts = [];
  for (const field of fields) {
    const name = field.slice('person.'.length);
    const { rows: found } = await db.query<{ n: number }>(
      `select count(*) as n from person where id = any ($1::bigint[]) and
         case $2 when 'firstName' then coalesce(trim(name), '') = '' when 'name' then coalesce(trim(name), '') = ''
           when 'country' then country is null else coalesce(traits ->> $2, '') = '' end`,
      [ids, name],
    );
    if (found[0]!.n > 0) counts.push({ field, people: found[0]!.n });
  }
  return counts;
}
