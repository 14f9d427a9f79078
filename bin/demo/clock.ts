import { setShopClock, shopNowMs } from '../../store/clock.ts';
import { campaignWorkflowId } from '../temporal.ts';
import type { Demo } from './context.ts';

/** Moves the shop clock and tells the run, which looks again at what it waits for. */
export async function moveClock(demo: Demo, campaignId: string, toMs: number): Promise<void> {
  if (toMs > (await shopNowMs(demo.db))) await setShopClock(demo.db, toMs);
  await demo.temporal.workflow
    .getHandle(campaignWorkflowId(campaignId))
    .signal('clockMoved')
    .catch(() => {});
}
