/**
 * Runs each contender once a round, in an order that turns from round to round, so that no one always runs on a warm
 * or a tired machine. Returns each one's results by round.
 */
export async function interleave<T>(
  rounds: number,
  contenders: Readonly<Record<string, () => Promise<T>>>,
  log: (line: string) => void,
  describe: (result: T) => string,
): Promise<Record<string, T[]>> {
  const names = Object.keys(contenders);
  const results: Record<string, T[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(turn + round) % names.length]!;
      const result = await contenders[name]!();
      results[name]!.push(result);
      log(`round ${round + 1}/${rounds} ${name}: ${describe(result)}`);
    }
  }
  return results;
}
