import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import { writeAudit } from '../../store/audit.ts';
import { shopNowMs } from '../../store/clock.ts';
import { promoteModel, saveDrift, turnDownModel } from '../../store/model-lifecycle.ts';
import { saveModel } from '../../store/models.ts';
import type { Db } from '../../store/postgres.ts';
import type { DriftLevel } from '../../models/evaluate/drift.ts';
import { auditContext, whileBeating } from '../context.ts';

/** What a training gives back: the fitted model as JSON, its card, and why it was refused if it was. */
export interface Learned {
  card: unknown;
  blob: unknown;
  refused: string | null;
}

export interface Learner {
  /** Learns from what was known before `nowMs`; runs in a worker thread. */
  learn(input: {
    model: string;
    rowsMax: number;
    nowMs: number;
    signal: AbortSignal;
    onProgress(fraction: number, note: string): void;
  }): Promise<Learned>;
  /** Scores everyone as of `nowMs` and stores the scores in PostgreSQL and the warehouse. */
  score(input: {
    model: string;
    version: number;
    nowMs: number;
    /** Beside the scores in use, where no segment reads them. */
    shadow?: boolean;
    onProgress(done: number): void;
  }): Promise<number>;
  /** Whether people, scores and outcomes are still those that the model in use learnt from. */
  drift(input: { model: string; nowMs: number }): Promise<{
    version: number;
    report: { level: DriftLevel };
  }>;
}

export interface TrainingDeps {
  db: Db;
  learner: Learner;
}

/** The way of a model after its training: in use, turned down, looked at. */
function lifecycleActivities({ db, learner }: TrainingDeps) {
  return {
    async promoteModel(input: {
      version: number;
      by: string;
      action: 'model promoted' | 'model rolled back';
    }): Promise<{ changed: boolean }> {
      return promoteModel(db, input.version, auditContext(input.by), input.action);
    },

    async turnDownModel(input: { version: number; by: string; reason: string }): Promise<void> {
      await turnDownModel(db, input.version, auditContext(input.by), input.reason);
    },

    async checkDrift({ model }: { model: string }): Promise<{ level: DriftLevel }> {
      return whileBeating(async () => {
        const nowMs = await shopNowMs(db);
        const { version, report } = await learner.drift({ model, nowMs });
        await saveDrift(db, version, nowMs, report);
        return { level: report.level };
      });
    },
  };
}

export function createTrainingActivities({ db, learner }: TrainingDeps) {
  return {
    ...lifecycleActivities({ db, learner }),

    async trainModel({
      model,
      rowsMax,
      hold = false,
    }: {
      model: string;
      rowsMax: number;
      /** Keeps a model that is good as a candidate, for somebody to decide. */
      hold?: boolean;
    }): Promise<{
      version: number;
      status: 'current' | 'candidate' | 'refused';
      reason: string | null;
    }> {
      return whileBeating(async () => {
        const learned = await learner.learn({
          model,
          rowsMax,
          nowMs: await shopNowMs(db),
          signal: cancellationSignal(),
          onProgress: (fraction, note) => heartbeat({ fraction, note }),
        });
        const accepted = hold ? 'candidate' : 'current';
        const status = learned.refused === null ? accepted : 'refused';
        const version = await saveModel(db, {
          name: model,
          status,
          card: learned.card,
          blob: learned.blob,
          workflowId: activityInfo().workflowExecution?.workflowId ?? null,
        });
        return { version, status, reason: learned.refused };
      });
    },

    async scoreEveryone({
      model,
      version,
      shadow = false,
    }: {
      model: string;
      version: number;
      shadow?: boolean;
    }): Promise<{ scored: number }> {
      return whileBeating(async () => ({
        scored: await learner.score({
          model,
          version,
          shadow,
          nowMs: await shopNowMs(db),
          onProgress: (done) => heartbeat({ done }),
        }),
      }));
    },

    async auditTraining(input: { model: string; version: number; scored: number }): Promise<void> {
      await writeAudit(db, auditContext(), {
        action: 'model promoted',
        subject: `model/${input.model}`,
        detail: { version: input.version, scored: input.scored },
      });
    },
  };
}

export type TrainingActivities = ReturnType<typeof createTrainingActivities>;
