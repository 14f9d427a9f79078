const DELIMITERS = [',', ';', '\t', '|'] as const;
const LINES = 20;

/**
 * The one of the usual delimiters that cuts the first lines into the most fields, and the same number of them in each;
 * what stands in quotes does not count.
 */
export function likelyDelimiter(head: string, eol: '\n' | '\r' = '\n'): string {
  const lines = head
    .replaceAll(/"(?:[^"]|"")*"/g, '')
    .split(eol)
    .slice(0, LINES)
    .filter((line) => line.trim() !== '');
  let best: { delimiter: string; score: number } = { delimiter: ',', score: 0 };
  for (const delimiter of DELIMITERS) {
    const counts = lines.map((line) => line.split(delimiter).length - 1);
    const inHeader = counts[0] ?? 0;
    if (inHeader === 0) continue;
    const same = counts.filter((count) => count === inHeader).length / counts.length;
    // The header alone is not enough: `name;price, net;weight` has a comma as well.
    const score = same * 10 + Math.min(inHeader, 50) / 10;
    if (score > best.score) best = { delimiter, score };
  }
  return best.delimiter;
}
