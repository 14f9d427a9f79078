import { writeFile } from 'node:fs/promises';
import type { Campaign } from '../domain/campaign.ts';
import { planMember } from '../domain/plan.ts';
import { snapshotFacts } from '../store/audience.ts';
import { shopNowMs } from '../store/clock.ts';
import type { LeasedMessage } from '../store/ledger.ts';
import { chooseProducts } from '../store/warehouse/products.ts';
import { explainSegment } from '../store/warehouse/segment-sql.ts';
import { prepareCampaign } from '../delivery/prepare.ts';
import { simpleParser } from 'mailparser';
import { audienceQuery } from './campaign-deps.ts';
import type { CheckedCampaign } from './campaign-check.ts';
import { openCatalogue, readShop } from './catalogue.ts';
import type { Demo } from './demo/context.ts';
import { explanationLines } from './explain.ts';
import { checkedFile, freeze } from './launch.ts';
import { linkKeys } from './link-keys.ts';
import { personByExternalId } from './person.ts';

/** The very mail that a person would get by this file now, and every decision about it. Sends and stores nothing. */
export async function preview(
  { db, warehouse, config }: Demo,
  file: string,
  externalId: string,
  htmlPath?: string,
): Promise<{ data: unknown; text: string }> {
  const frozen = freeze(await checkedFile(db, file));
  const { campaign } = frozen;
  const person = await personByExternalId(db, externalId);
  const nowMs = await shopNowMs(db);
  const why = await explainSegment(warehouse, campaign.audience.segment, person.id, nowMs);
  const query = audienceQuery(campaign, nowMs);
  const isMember = (
    await warehouse.query<{ n: number }>(
      `SELECT count() AS n FROM (${query.sql}) WHERE person_id = {previewed:UInt64}`,
      { ...query.params, previewed: person.id },
    )
  )[0]!;
  const facts = await snapshotFacts(db, person.id, campaign.id);
  const decision = planMember(
    campaign,
    { ...facts, holdout: false },
    {
      nowMs,
      deadlineMs: Number.POSITIVE_INFINITY,
      chosenVariant: null,
      defaultTimeZone: 'UTC',
    },
  );
  const variant = decision.kind === 'reserve' ? decision.variant : 0;
  const products = frozen.usesProducts
    ? await chooseProducts({ db, warehouse }, [person.id], nowMs)
    : new Map<number, string[]>();
  const catalogue = await openCatalogue(db);
  catalogue.stop();
  const prepared = prepareCampaign(
    { no: 0, id: campaign.id, definition: campaign, templates: frozen.templates },
    {
      shop: await readShop(db),
      publicUrl: config.publicUrl,
      linkKey: linkKeys(config)[0]!,
      clock: { nowMs: () => nowMs },
      products: catalogue.products,
    },
  );
  const message: LeasedMessage = {
    personId: person.id,
    externalId: person.externalId,
    variant,
    attempt: 0,
    address: person.address ?? 'nobody@example.invalid',
    name: person.name,
    country: person.country,
    locale: person.locale,
    traits: person.traits,
    decision: { products: products.get(person.id) ?? [] },
  };
  const mail = await simpleParser(prepared.build(message));
  if (htmlPath) await writeFile(htmlPath, mail.html || '');
  const inAudience = Number(isMember.n) > 0;
  const moment = decision.kind === 'reserve' ? new Date(decision.dueMs).toISOString() : null;
  const data = {
    campaign: campaign.id,
    person: person.externalId,
    inAudience,
    why,
    decision,
    variant: campaign.variants[variant]?.id,
    products: products.get(person.id) ?? [],
    subject: mail.subject,
    text: mail.text,
  };
  const text = [
    `${campaign.name}, for ${person.externalId}: ${inAudience ? 'in the audience' : 'NOT in the audience'}`,
    ...explanationLines(why, '  '),
    decision.kind === 'reserve'
      ? `Would be sent at ${moment}, variant ${campaign.variants[variant]?.id} (probability ${decision.variantP.toFixed(2)}), unless the draw puts them into the holdout.`
      : `Would not be sent: ${decision.kind === 'skip' ? decision.reason : 'held out'}.`,
    '',
    `Subject: ${mail.subject}`,
    '',
    mail.text ?? '',
    ...(htmlPath ? [`HTML: ${htmlPath}`] : []),
  ].join('\n');
  return { data, text };
}

/** Fields that the templates cannot do without, and how many members lack each. */
export async function missingFieldCounts(
  { db, warehouse }: Pick<Demo, 'db' | 'warehouse'>,
  checked: CheckedCampaign,
  campaign: Campaign,
): Promise<{ field: string; people: number }[]> {
  const fields = checked.fieldsWithoutFallback.filter((field) => field.startsWith('person.'));
  if (fields.length === 0) return [];
  const query = audienceQuery(campaign, await shopNowMs(db));
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
