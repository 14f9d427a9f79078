import { stringify } from 'yaml';
import type { Finding, Guess } from './guess.ts';

const WIDTH = 44;

/** A guess as a mapping file that can be imported with as it is; what to look at stands in comments. */
export function guessYaml(guess: Guess, file: string): string {
  const { mapping, findings, missing, unused, rows } = guess;
  const lines = [
    `# Proposed for ${oneLine(file)} by its headings and its first ${rows.toLocaleString('en-US')} rows.`,
    '# Look at each line that is less than sure, then: kairos import ' +
      `${guess.kind} FILE --map THIS_FILE`,
    ...missing.map((field) => `# MISSING: no column seems to be ${field}; name one below.`),
    `kind: ${mapping.kind}`,
    ...section('format', mapping.format, findings),
    ...section('fields', mapping.fields, findings),
  ];
  if (mapping.fields && Object.keys(mapping.fields).length === 0) lines.push('fields: {}');
  for (const name of ['traits', 'properties', 'lineProperties'] as const) {
    const value = mapping[name];
    if (value === undefined || Object.keys(value).length === 0) continue;
    lines.push(`${name}: ${flow(value)}`);
  }
  if (mapping.cancelled)
    lines.push(withComment(`cancelled: ${flow(mapping.cancelled)}`, findings['cancelled']));
  const isFree = ['customers', 'events', 'reviews'].includes(mapping.kind);
  if (unused.length > 0 && !isFree) {
    lines.push(`# Columns that are left out: ${unused.map(oneLine).join(', ')}.`);
  }
  return `${lines.join('\n')}\n`;
}

function section(name: string, values: object | undefined, findings: Guess['findings']): string[] {
  const entries = Object.entries(values ?? {});
  if (entries.length === 0) return [];
  const lines = entries.map(([key, value]) =>
    withComment(`  ${key}: ${flow(value)}`, findings[`${name}.${key}`]),
  );
  return [`${name}:`, ...lines];
}

function withComment(line: string, finding: Finding | undefined): string {
  if (!finding) return line;
  const { sure, why, samples } = finding;
  const look = sure < 0.7 ? 'CHECK: ' : '';
  const shown = samples.length > 0 ? `, such as ${samples.map(oneLine).join(' | ')}` : '';
  return `${line.padEnd(WIDTH)} # ${look}${Math.round(sure * 100)} % sure; ${oneLine(why)}${shown}`;
}

function flow(value: unknown): string {
  return stringify(value, {
    collectionStyle: 'flow',
    lineWidth: 0,
    defaultStringType: 'PLAIN',
  }).trim();
}

/** A heading may hold anything, and a comment ends with its line. */
function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f\u0085\u2028\u2029]+/g, ' ');
}
