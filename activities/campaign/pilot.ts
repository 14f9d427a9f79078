/**
 * The arm with the best rate of successes, by the posterior mean under a uniform prior: an arm that few were sent is
 * pulled towards one half of nothing known. Bandits with a stated probability of being best come with the decisions.
 */
export function chooseArm(
  results: readonly { variant: number; persons: number; successes: number }[],
): number {
  let best = 0;
  let bestRate = -1;
  for (const arm of results) {
    const rate = (arm.successes + 1) / (arm.persons + 2);
    if (rate > bestRate) {
      best = arm.variant;
      bestRate = rate;
    }
  }
  return best;
}
