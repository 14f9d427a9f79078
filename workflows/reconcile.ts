import { acts } from './proxies.ts';

/** By Schedule: ends leases whose sender died, issues tickets that are missing, seals the audit trail. */
export async function reconcile(): Promise<{ released: number; unknown: number; tickets: number }> {
  return acts.reconcile();
}
