import {
  type ActivityExecuteInput,
  type ActivityInboundCallsInterceptor,
  type Next,
} from '@temporalio/worker';
import { ApplicationFailure, CompleteAsyncError, activityInfo } from '@temporalio/activity';
import { KairosError } from '../domain/errors.ts';
import { writeAudit } from '../store/audit.ts';
import type { Db } from '../store/postgres.ts';
import { auditContext } from './context.ts';

/**
 * Audits every activity, so that no author can forget to, and gives failures the types of the error table, on which the
 * retry policies decide. Failure messages go into Temporal's history: they carry codes and ids only.
 */
export function auditInterceptor(db: Db): ActivityInboundCallsInterceptor {
  return {
    async execute(
      input: ActivityExecuteInput,
      next: Next<ActivityInboundCallsInterceptor, 'execute'>,
    ) {
      const startedAt = performance.now();
      const tell = (outcome: string, code: string | null): Promise<void> =>
        writeAudit(db, auditContext(), {
          action: 'activity',
          subject: activityInfo().workflowExecution?.workflowId ?? 'none',
          detail: { outcome, code, ms: Math.round(performance.now() - startedAt) },
        });
      try {
        const result = await next(input);
        await tell('completed', null);
        return result;
      } catch (error) {
        if (error instanceof CompleteAsyncError) throw error;
        const failure = toFailure(error);
        // PostgreSQL may be what failed: then Temporal's history alone has it.
        await tell('failed', failure.type ?? null).catch(() => {});
        throw failure;
      }
    },
  };
}

function toFailure(error: unknown): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  if (error instanceof KairosError) {
    return ApplicationFailure.create({
      type: error.code,
      message: error.message,
      nonRetryable: !error.retryable,
    });
  }
  // A driver's message may quote a row; its code says as much to an operator.
  const code = (error as { code?: string }).code;
  const name = error instanceof Error ? error.name : 'unknown';
  if (name === 'CancelledFailure' || name === 'AbortError') throw error;
  return ApplicationFailure.create({
    type: code ?? name,
    message: code ? `${name} ${code}` : redact((error as Error).message),
    nonRetryable: false,
  });
}

/** Whatever looks like an address never leaves the process. */
export function redact(text: string): string {
  return text.replaceAll(/[^\s<>"'(),:;]+@[^\s<>"'(),:;]+/g, '[address]').slice(0, 500);
}
