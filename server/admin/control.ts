import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { campaignById } from '../../store/campaigns.ts';
import type { Db } from '../../store/postgres.ts';
import type { StopReceipt } from '../../workflows/campaign/messages.ts';
import { refuse } from './guard.ts';

/**
 * What can be asked of a running campaign, by its id; `bin/server.ts` makes Updates of its workflow of them. Each
 * resolves when it has been done and is in the audit trail, and rejects with KairosError STATE_CONFLICT where the run
 * refuses it (it is over, there is nothing to approve, the hash is another one).
 */
export interface CampaignControl {
  pause(campaignId: string, by: string): Promise<void>;
  resume(campaignId: string, by: string): Promise<void>;
  /** Messages a second; null lifts the limit. */
  setRate(campaignId: string, by: string, ratePerSecond: number | null): Promise<void>;
  /** `hash` is the hash of what the approver was shown. */
  approve(campaignId: string, by: string, hash: string): Promise<void>;
  recall(campaignId: string, by: string): Promise<StopReceipt>;
  cancel(campaignId: string, by: string): Promise<StopReceipt>;
}

const BODY_MAX = 4_096;
const RATE_MAX = 100_000;

type Body = Readonly<Record<string, unknown>>;
type Action = (campaignId: string, by: string, body: Body) => Promise<unknown>;

/** A sentence for the caller. */
class BadRequest extends Error {}

/** `POST /:id/{pause,resume,rate,approve,recall,cancel}` with a JSON body `{by, …}`; 200 means done. */
export function createControl(db: Db, control: CampaignControl): Hono {
  const app = new Hono();
  const actions: Readonly<Record<string, Action>> = {
    pause: (id, by) => control.pause(id, by),
    resume: (id, by) => control.resume(id, by),
    rate: async (id, by, body) => control.setRate(id, by, rateOf(body)),
    approve: async (id, by, body) => control.approve(id, by, hashOf(body)),
    recall: (id, by) => control.recall(id, by),
    cancel: (id, by) => control.cancel(id, by),
  };
  app.use(
    bodyLimit({
      maxSize: BODY_MAX,
      onError: (context) => refuse(context, 413, 'TOO_LARGE', 'The body is too large.'),
    }),
  );
  for (const [name, action] of Object.entries(actions)) {
    app.post(`/:id/${name}`, (context) => run(context, db, action));
  }
  return app;
}

async function run(context: Context, db: Db, action: Action): Promise<Response> {
  try {
    const body = await bodyOf(context);
    const by = byOf(body);
    // Also where it is not known: a workflow's id is never made of what is no campaign's.
    const { id } = await campaignById(db, context.req.param('id') ?? '');
    return context.json({ done: true, ...((await action(id, by, body)) as object | undefined) });
  } catch (error) {
    if (error instanceof BadRequest) return refuse(context, 422, 'REQUEST_INVALID', error.message);
    throw error;
  }
}

async function bodyOf(context: Context): Promise<Body> {
  const text = await context.req.text();
  if (text.trim() === '') return {};
  // A form of another site could send text; it could not send this type without being asked first.
  if (!/^application\/json\b/i.test(context.req.header('content-type') ?? '')) {
    throw new BadRequest('The body must be sent as application/json.');
  }
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Body;
  } catch {
    // Falls through.
  }
  throw new BadRequest('The body is not a JSON object.');
}

/** Who asks, for the audit trail. */
function byOf(body: Body): string {
  const by = body['by'] ?? 'api';
  // eslint-disable-next-line no-control-regex
  if (typeof by === 'string' && /^[^\u0000-\u001f\u007f]{1,100}$/.test(by) && by.isWellFormed()) {
    return by;
  }
  throw new BadRequest('"by" is no name; expected a text of 1 to 100 characters.');
}

function rateOf(body: Body): number | null {
  const rate = body['ratePerSecond'];
  if (rate === null) return null;
  if (typeof rate === 'number' && rate > 0 && rate <= RATE_MAX) return rate;
  throw new BadRequest(
    `"ratePerSecond" is missing or out of range; expected a number above 0 and at most ${RATE_MAX}, or null for no limit.`,
  );
}

function hashOf(body: Body): string {
  const { hash } = body;
  if (typeof hash === 'string' && /^[0-9a-zA-Z_-]{1,128}$/.test(hash)) return hash;
  throw new BadRequest('"hash" is missing; expected the hash of the campaign that you were shown.');
}
