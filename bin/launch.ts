import { createHash, randomBytes } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { freezeCampaign } from '../domain/campaign-freeze.ts';
import type { Campaign } from '../domain/campaign.ts';
import { KairosError } from '../domain/errors.ts';
import { formatProblem, type LocatedProblem } from '../domain/problem.ts';
import { resolveSegment } from '../domain/segment-references.ts';
import type { Segment } from '../domain/segment.ts';
import type { Mode } from '../domain/ledger.ts';
import { nextRunId } from '../domain/mode.ts';
import { writeAudit } from '../store/audit.ts';
import { type CampaignRow, campaignById, registerCampaign, runsOf } from '../store/campaigns.ts';
import { shopNowMs } from '../store/clock.ts';
import type { Db } from '../store/postgres.ts';
import { awaitProjected } from '../store/projector.ts';
import { savedSegments, shopTimeZone } from '../store/segments.ts';
import type { Warehouse } from '../store/warehouse/client.ts';
import { explainSegment, previewSegment } from '../store/warehouse/segment-sql.ts';
import type { FrozenTemplate } from '../templates/render.ts';
import { type CheckedCampaign, checkCampaignFile } from './campaign-check.ts';
import { readShop } from './catalogue.ts';
import type { Config } from './config.ts';
import { assertRelaySafe, assertRelayFits } from './mail.ts';
import { startCampaign } from './temporal.ts';

export interface LaunchClients {
  config: Config;
  db: Db;
  warehouse: Warehouse;
  temporal: Client;
}

/** A campaign file that passed its check, frozen: what would run, and for whom. */
export interface Proposal {
  campaign: Campaign;
  templates: Record<string, FrozenTemplate>;
  links: Record<string, readonly string[]>;
  usesProducts: boolean;
  /** Members of the audience by the warehouse, now. */
  expected: number;
  /** Some of them, with what put them there. */
  members: { personId: number; externalId: string; score: number | null; reason: string }[];
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Throws `CAMPAIGN_INVALID` with every problem of a file and its templates; needs nothing that runs. */
export async function assertFileFine(path: string): Promise<void> {
  fine(await checkCampaignFile(path, { shop: { url: 'https://shop.example/' } }));
}

/** Checks a file with the shop's own address; throws `CAMPAIGN_INVALID` with every problem where there is one. */
export async function checkedFile(
  db: Db,
  path: string,
  templatesFolder?: string,
): Promise<CheckedCampaign> {
  const shop = await readShop(db);
  const checked = fine(
    await checkCampaignFile(path, {
      shop: { url: shop.url },
      ...(templatesFolder ? { templatesFolder } : {}),
    }),
  );
  return withSegments(checked, await savedSegments(db));
}

/** The audience with the segments that it speaks of as they are now: what runs is what was approved. */
function withSegments(
  checked: CheckedCampaign,
  saved: ReadonlyMap<string, Segment>,
): CheckedCampaign {
  const definition = checked.loaded.definition!;
  const { segment, exclude } = definition.audience;
  const problems: LocatedProblem[] = [];
  const resolve = (part: Segment, pointer: string): Segment => {
    const resolved = resolveSegment(part, saved);
    for (const problem of resolved.problems) {
      problems.push(checked.loaded.problem(`${pointer}${problem.pointer}`, problem.message));
    }
    return resolved.segment ?? part;
  };
  const audience = {
    ...definition.audience,
    segment: resolve(segment, '/audience/segment'),
    ...(exclude
      ? { exclude: exclude.map((part, index) => resolve(part, `/audience/exclude/${index}`)) }
      : {}),
  };
  if (problems.length > 0) {
    throw new KairosError('CAMPAIGN_INVALID', problems.map(formatProblem).join('\n'));
  }
  return { ...checked, loaded: { ...checked.loaded, definition: { ...definition, audience } } };
}

function fine(checked: CheckedCampaign): CheckedCampaign {
  if (checked.problems.length === 0 && checked.loaded.definition) return checked;
  throw new KairosError('CAMPAIGN_INVALID', checked.problems.map(formatProblem).join('\n'));
}

/** Freezes a checked campaign with its templates. */
export function freeze(
  checked: CheckedCampaign,
): Pick<Proposal, 'campaign' | 'templates' | 'links' | 'usesProducts'> {
  const templates = Object.fromEntries(checked.templates);
  const hashes = Object.fromEntries(Object.entries(templates).map(([id, t]) => [id, t.hash]));
  return {
    campaign: freezeCampaign(checked.loaded.definition!, hashes, sha256),
    templates,
    links: Object.fromEntries(Object.entries(templates).map(([id, t]) => [id, t.links])),
    usesProducts: Object.values(templates).some((t) =>
      t.fields.some((field) => field.startsWith('products')),
    ),
  };
}

/** What a launch would do now: the expected count, and members with their reasons. */
export async function propose(
  { db, warehouse }: Pick<LaunchClients, 'db' | 'warehouse'>,
  path: string,
  samples = 20,
  templatesFolder?: string,
): Promise<Proposal> {
  const frozen = freeze(await checkedFile(db, path, templatesFolder));
  await awaitProjected(db, { timeoutMs: 60_000 });
  const nowMs = await shopNowMs(db);
  const { segment, exclude, score, limit } = frozen.campaign.audience;
  const preview = await previewSegment(
    warehouse,
    segment,
    {
      nowMs,
      timeZone: await shopTimeZone(db),
      ...(exclude ? { excluded: exclude } : {}),
      ...(score ? { score } : {}),
      ...(limit === undefined ? {} : { limit, salt: frozen.campaign.id }),
    },
    samples,
  );
  const members = [];
  for (const member of preview.sample) {
    const why = await explainSegment(warehouse, segment, member.personId, nowMs, {
      timeZone: await shopTimeZone(db),
    });
    members.push({ ...member, reason: reasonOf(why) });
  }
  return { ...frozen, expected: preview.count, members };
}

type Explanation = Awaited<ReturnType<typeof explainSegment>>;

/** The clauses that hold, in words. */
export function reasonOf(explanation: Explanation): string {
  const said: string[] = [];
  const walk = (node: Explanation): void => {
    if ('parts' in node && Array.isArray(node.parts)) {
      for (const part of node.parts as Explanation[]) if (part.holds) walk(part);
    } else if (node.holds) said.push(node.words);
  };
  walk(explanation);
  return said.join('; ') || explanation.words;
}

/** Registers the frozen campaign and starts its run. `expected` guards the audience against drift. */
export async function launch(
  clients: LaunchClients,
  proposal: Proposal,
  options: { by: string; mode?: Mode; expected?: number },
): Promise<{ row: CampaignRow; run: 'started' | 'running' | 'finished' }> {
  const mode = options.mode ?? 'live';
  assertRelayFits(clients.config, mode);
  if (mode !== 'simulated') assertRelaySafe(clients.config);
  const runs = await runsOf(clients.db, proposal.campaign.id);
  const row = await registerCampaign(clients.db, {
    campaign: proposal.campaign,
    links: proposal.links,
    templates: proposal.templates,
    usesProducts: proposal.usesProducts,
    mode,
    runId: nextRunId(proposal.campaign, mode, runs),
    // The same draws in every mode, so that what was rehearsed is what runs.
    salt: runs[0]?.salt ?? randomBytes(16).toString('hex'),
    expectedCount: options.expected ?? proposal.expected,
  });
  const run = await startCampaign(clients.temporal, row);
  if (run === 'started') {
    await writeAudit(
      clients.db,
      { actor: options.by },
      {
        action: 'launch asked',
        subject: `campaign/${row.id}`,
        detail: { hash: row.hash, mode, expected: row.expectedCount },
      },
    );
  }
  return { row: await campaignById(clients.db, row.id), run };
}
