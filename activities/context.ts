import { activityInfo, heartbeat } from '@temporalio/activity';
import type { AuditContext } from '../store/audit.ts';

/** Who the audit trail names for an effect of this activity. */
export function auditContext(actor = 'kairos'): AuditContext {
  const info = activityInfo();
  return {
    actor,
    workflowId: info.workflowExecution?.workflowId ?? '',
    runId: info.workflowExecution?.runId ?? '',
    activity: info.activityType,
    attempt: info.attempt,
  };
}

/** Beats until `work` ends, so that a dead worker is noticed however long one statement takes. */
export async function whileBeating<T>(work: () => Promise<T>, everyMs = 5_000): Promise<T> {
  const timer = setInterval(() => heartbeat(), everyMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
