import { Hono } from 'hono';

/** Resolves where the part works; what it rejects with is not shown to anyone. */
export type HealthCheck = () => Promise<unknown>;

const CHECK_MS = 2_000;

/**
 * `/health/live`: the process answers. `/health/ready` and `/health`: everything that it needs answers too, 503 where
 * something does not. Open to whoever asks: names and milliseconds only.
 */
export function createHealth(checks: Readonly<Record<string, HealthCheck>>): Hono {
  const app = new Hono();
  const ready = async (): Promise<{ ready: boolean; checks: Record<string, unknown> }> => {
    const entries = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => {
        const began = performance.now();
        const ok = await inTime(check);
        return [name, { ok, ms: Math.round(performance.now() - began) }] as const;
      }),
    );
    return { ready: entries.every(([, { ok }]) => ok), checks: Object.fromEntries(entries) };
  };
  app.get('/live', (context) => context.json({ live: true }));
  for (const path of ['/', '/ready']) {
    app.get(path, async (context) => {
      const state = await ready();
      return context.json(state, state.ready ? 200 : 503);
    });
  }
  return app;
}

async function inTime(check: HealthCheck): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => (timer = setTimeout(resolve, CHECK_MS, false)));
  // An answer of `false`, as a ping may give, is a no as well.
  const answer = (async () => (await check()) !== false)().catch(() => false);
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
