import { writeAudit } from '../../store/audit.ts';
import { campaignByNo, chooseVariant, saveReport } from '../../store/campaigns.ts';
import { shopNowMs } from '../../store/clock.ts';
import { closeCampaign } from '../../store/ledger.ts';
import { transaction } from '../../store/postgres.ts';
import { auditContext, whileBeating } from '../context.ts';
import { type CampaignDeps, type Ref, subject } from './deps.ts';
import { chooseArm } from './pilot.ts';
import { goalEndMs, pilotEndMs } from './times.ts';

/** What came of it: the pilot's choice, the ledger's balance, the goal window and the report. */
export function createOutcomeActivities(deps: CampaignDeps) {
  const { db } = deps;
  return {
    async untilPilotEnd({ campaignNo }: Ref): Promise<{ waitMs: number }> {
      const row = await campaignByNo(db, campaignNo);
      return { waitMs: pilotEndMs(row) - (await shopNowMs(db)) };
    },

    async chooseArm({ campaignNo }: Ref): Promise<{ variant: number }> {
      const row = await campaignByNo(db, campaignNo);
      if (row.chosenVariant !== null) return { variant: row.chosenVariant };
      const results = await deps.armResults(row);
      const variant = chooseArm(results);
      await transaction(db, async (tx) => {
        await chooseVariant(tx, campaignNo, variant);
        await writeAudit(tx, auditContext(), {
          action: 'pilot arm chosen',
          subject: subject(row),
          detail: { variant: row.definition.variants[variant]?.id, results },
        });
      });
      return { variant };
    },

    async closeLedger({ campaignNo }: Ref): Promise<{ sent: number }> {
      const counts = await closeCampaign(db, campaignNo);
      const row = await campaignByNo(db, campaignNo);
      await writeAudit(db, auditContext(), {
        action: 'ledger closed',
        subject: subject(row),
        detail: { ...counts },
      });
      return { sent: counts.sent };
    },

    async untilGoalEnd({ campaignNo }: Ref): Promise<{ waitMs: number }> {
      const row = await campaignByNo(db, campaignNo);
      return { waitMs: goalEndMs(row) - (await shopNowMs(db)) };
    },

    async report({ campaignNo }: Ref): Promise<void> {
      await whileBeating(async () => {
        const row = await campaignByNo(db, campaignNo);
        const report = await deps.report(row);
        await transaction(db, async (tx) => {
          await saveReport(tx, campaignNo, report);
          await writeAudit(tx, auditContext(), { action: 'reported', subject: subject(row) });
        });
      });
    },
  };
}
