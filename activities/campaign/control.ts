import { writeAudit } from '../../store/audit.ts';
import {
  approveCampaign,
  campaignByNo,
  setPaused,
  setRate,
  setStage,
  type Stage,
} from '../../store/campaigns.ts';
import { stopCampaign } from '../../store/ledger.ts';
import { transaction } from '../../store/postgres.ts';
import { auditContext } from '../context.ts';
import { type CampaignDeps, type Ref, subject } from './deps.ts';

/** What a marketer may ask of a running campaign; each effect and its audit row are one transaction. */
export function createControlActivities({ db }: CampaignDeps) {
  return {
    async recordApproval({ campaignNo, by }: Ref & { by: string }): Promise<void> {
      await transaction(db, async (tx) => {
        const row = await campaignByNo(tx, campaignNo);
        await approveCampaign(tx, campaignNo, by);
        await writeAudit(tx, auditContext(by), {
          action: 'approved',
          subject: subject(row),
          detail: { hash: row.hash },
        });
      });
    },

    async setStage({
      campaignNo,
      stage,
      waiting,
    }: Ref & { stage: string; waiting: string | null }): Promise<void> {
      await setStage(db, campaignNo, stage as Stage, waiting);
    },

    async setPaused({
      campaignNo,
      paused,
      by,
    }: Ref & { paused: boolean; by: string }): Promise<void> {
      await transaction(db, async (tx) => {
        const row = await campaignByNo(tx, campaignNo);
        await setPaused(tx, campaignNo, paused);
        await writeAudit(tx, auditContext(by), {
          action: paused ? 'paused' : 'resumed',
          subject: subject(row),
        });
      });
    },

    async setRate({
      campaignNo,
      ratePerSecond,
      by,
    }: Ref & { ratePerSecond: number | null; by: string }): Promise<void> {
      await transaction(db, async (tx) => {
        const row = await campaignByNo(tx, campaignNo);
        await setRate(tx, campaignNo, ratePerSecond);
        await writeAudit(tx, auditContext(by), {
          action: 'rate set',
          subject: subject(row),
          detail: { ratePerSecond },
        });
      });
    },

    async stop({
      campaignNo,
      stop,
      by,
    }: Ref & { stop: 'recalled' | 'cancelled'; by: string }): Promise<{
      takenBack: number;
      gone: number;
    }> {
      const row = await campaignByNo(db, campaignNo);
      const receipt = await stopCampaign(db, campaignNo, stop);
      await writeAudit(db, auditContext(by), {
        action: stop,
        subject: subject(row),
        detail: receipt,
      });
      return receipt;
    },
  };
}
