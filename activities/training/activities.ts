import { cancellationSignal, heartbeat } from '@temporalio/activity';
import { writeAudit } from '../../store/audit.ts';
import { shopNowMs } from '../../store/clock.ts';
import { saveModel } from '../../store/models.ts';
import type { Db } from '../../store/postgres.ts';
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
    onProgress(done: number): void;
  }): Promise<number>;
}

export interface TrainingDeps {
  db: Db;
  learner: Learner;
}

export function createTrainingActivities({ db, learner }: TrainingDeps) {
  return {
    async trainModel({ model, rowsMax }: { model: string; rowsMax: number }): Promise<{
      version: number;
      status: 'current' | 'refused';
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
        const status = learned.refused === null ? 'current' : 'refused';
        const version = await saveModel(db, {
          name: model,
          status,
          card: learned.card,
          blob: learned.blob,
        });
        return { version, status, reason: learned.refused };
      });
    },

    async scoreEveryone({
      model,
      version,
    }: {
      model: string;
      version: number;
    }): Promise<{ scored: number }> {
      return whileBeating(async () => ({
        scored: await learner.score({
          model,
          version,
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
