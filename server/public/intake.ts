import { randomUUID } from 'node:crypto';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { type IntakeCall, type IntakeNote, parseIntake } from '../../domain/intake.ts';
import { LIMITS } from '../../domain/limits.ts';
import { writeIntake } from '../../store/intake.ts';
import { readAddress } from '../../store/people.ts';
import { isTransient } from '../../store/postgres.ts';
import { basicUser, secretCheck } from '../secrets.ts';
import type { PublicDeps } from './app.ts';

export interface IntakeCounters {
  intakeAccepted: number;
  intakeDuplicates: number;
  /** Calls with something wrong in them. */
  intakeRejected: number;
  /** Requests without a valid write key. */
  intakeRefused: number;
}

interface Placed extends IntakeNote {
  index: number;
}

/**
 * Events from the shop by the Segment spec: `POST /v1/track`, `identify`, `page` and `batch`, with the write key as the
 * user of basic authentication. An answer of 200 means committed; a call that is wrong is named, and the others of its
 * batch are taken.
 */
export function createIntake(deps: PublicDeps): Hono {
  const app = new Hono();
  const isWriteKey = secretCheck(deps.writeKeys);
  app.use(async (context, next) => {
    if (isWriteKey(basicUser(context.req.header('authorization')) ?? '')) return next();
    deps.counters.intakeRefused += 1;
    context.header('WWW-Authenticate', 'Basic realm="Kairos intake", charset="UTF-8"');
    return refuse(
      context,
      401,
      'The write key is missing or wrong; send it as the user of basic authentication.',
    );
  });
  app.use(
    bodyLimit({
      maxSize: LIMITS.intakeBodyBytesMax,
      onError: (context) =>
        refuse(
          context,
          413,
          `The body is larger than ${LIMITS.intakeBodyBytesMax} bytes; send smaller batches.`,
        ),
    }),
  );
  for (const kind of ['track', 'identify', 'page'] as const) {
    app.post(`/${kind}`, async (context) => {
      const body = await jsonOf(context);
      return body === undefined ? notJson(context) : take(context, deps, [body], kind);
    });
  }
  app.post('/batch', async (context) => {
    const body = await jsonOf(context);
    if (body === undefined) return notJson(context);
    const batch = (body as { batch?: unknown } | null)?.batch;
    if (!Array.isArray(batch))
      return refuse(context, 400, 'The body has no "batch"; expected a list of calls.');
    return take(context, deps, batch, null);
  });
  app.onError((error, context) => {
    deps.counters.failures += 1;
    deps.log('intake failed', { error: (error as { code?: string }).code ?? error.name });
    context.header('Retry-After', '2');
    return refuse(
      context,
      isTransient(error) ? 503 : 500,
      'Nothing of this request was written; send it again in a moment.',
    );
  });
  return app;
}

async function take(
  context: Context,
  deps: PublicDeps,
  inputs: readonly unknown[],
  kind: string | null,
): Promise<Response> {
  const nowMs = deps.clock.nowMs();
  const calls: IntakeCall[] = [];
  const rejected: Placed[] = [];
  const ignored: Placed[] = [];
  inputs.forEach((input, index) => {
    const result = readCall(input, { kind, nowMs, newId: randomUUID });
    if ('problem' in result) {
      rejected.push({ index, ...result.problem });
      return;
    }
    calls.push(result.call);
    ignored.push(...result.ignored.map((note) => ({ index, ...note })));
  });
  const receipt = await writeIntake(deps.db, calls);
  deps.counters.intakeAccepted += receipt.accepted;
  deps.counters.intakeDuplicates += receipt.duplicates;
  deps.counters.intakeRejected += rejected.length;
  const isRefused = calls.length === 0 && rejected.length > 0;
  return context.json(
    { ...receipt, rejected, ...(ignored.length > 0 ? { ignored } : {}) },
    isRefused ? 422 : 200,
  );
}

function readCall(
  input: unknown,
  context: Parameters<typeof parseIntake>[1],
): ReturnType<typeof parseIntake> {
  // First: it bounds the depth, which writing it as JSON again relies on.
  const result = parseIntake(input, context);
  if ('problem' in result) return result;
  const bytes = Buffer.byteLength(JSON.stringify(input), 'utf8');
  if (bytes > LIMITS.intakeEventBytesMax) {
    const message = `has ${bytes} bytes; expected at most ${LIMITS.intakeEventBytesMax}`;
    return { problem: { pointer: '', message } };
  }
  if (result.call.kind === 'identify') {
    const { email } = result.call.person;
    if (email !== undefined && email !== null && 'problem' in readAddress(email)) {
      return {
        problem: { pointer: '/traits/email', message: 'is not an address that can be mailed to' },
      };
    }
  }
  return result;
}

async function jsonOf(context: Context): Promise<unknown> {
  try {
    return JSON.parse(await context.req.text()) as unknown;
  } catch {
    return undefined;
  }
}

function notJson(context: Context): Response {
  return refuse(context, 400, 'The body is not JSON.');
}

function refuse(context: Context, status: 400 | 401 | 413 | 500 | 503, message: string): Response {
  return context.json({ error: { code: 'INTAKE_INVALID', message } }, status);
}
