import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { KairosError } from '../../domain/errors.ts';
import { shopNowMs } from '../../store/clock.ts';
import { lists, putMembersOnList, putOnList } from '../../store/lists.ts';
import { awaitProjected } from '../../store/projector.ts';
import { liveSizes, savedSegments, saveSegment, shopTimeZone } from '../../store/segments.ts';
import { OVERLAP_MAX, overlapOf, unknownNames } from '../../store/warehouse/segment-counts.ts';
import {
  prepareSegment,
  previewSegment,
  segmentMembers,
} from '../../store/warehouse/segment-sql.ts';
import { describeSegment } from '../../domain/segment-words.ts';
import { readSegment, readWrittenSegment } from '../segment-file.ts';
import { segmentHistory } from '../segment-history.ts';
import { why } from '../segment-why.ts';
import { type CommandContext, example, table, withContext } from './context.ts';

const NAME_HELP = 'a saved name, a file, or a campaign file for its audience';

/** Everything that one can ask of a segment. */
export function addSegmentCommands(program: Command): void {
  const segment = program.command('segment').description('look at segments, save and compare them');
  addPreview(segment);
  addWhy(segment);
  addComparisons(segment);
  addNames(segment);
  addLists(program);
}

/** Shop time and zone, once the projector has passed what is in the log now. */
async function asOfNow(context: CommandContext): Promise<{ nowMs: number; timeZone: string }> {
  await awaitProjected(context.db, { timeoutMs: 60_000 });
  const [nowMs, timeZone] = await Promise.all([shopNowMs(context.db), shopTimeZone(context.db)]);
  return { nowMs, timeZone };
}

function addPreview(segment: Command): void {
  segment
    .command('preview <segment>')
    .description(`count, members and SQL of a segment: ${NAME_HELP}`)
    .option('--members <n>', 'how many members to show', Number, 10)
    .addHelpText('after', example('segment preview campaigns/win-back.ts'))
    .action((file: string, options: { members: number }, command: Command) =>
      withContext(command, async (context) => {
        const wanted = await readSegment(context.db, file);
        const asOf = await asOfNow(context);
        const found = await previewSegment(
          context.warehouse,
          wanted.segment,
          { ...wanted.options, ...asOf },
          options.members,
        );
        const known = (await lists(context.db)).map(({ name }) => name);
        const unknown = await unknownNames(context.warehouse, wanted.segment, known);
        const { sql, params } = found.query;
        context.print({ count: found.count, members: found.sample, unknown, sql, params }, () =>
          [
            `${found.count.toLocaleString('en-US')} people: ${wanted.words}`,
            ...unknown.map((sentence) => `! ${sentence}`),
            '',
            table(
              found.sample.map((m) => [m.externalId, m.score === null ? '' : m.score.toFixed(4)]),
            ),
            '',
            sql,
            JSON.stringify(params),
          ].join('\n'),
        );
      }),
    );
}

function addWhy(segment: Command): void {
  const ask = (name: 'why' | 'why-not', description: string): void => {
    segment
      .command(`${name} <person> [segments...]`)
      .description(`${description}; of all saved ones where none is named`)
      .addHelpText('after', example(`segment ${name} C-1001 campaigns/win-back.ts`))
      .action((person: string, names: string[], _: unknown, command: Command) =>
        withContext(command, async (context) => {
          const asOf = await asOfNow(context);
          const { data, text } = await why(context, person, names, {
            ...asOf,
            not: name === 'why-not',
          });
          context.print(data, () => text);
        }),
      );
  };
  ask(
    'why',
    'why a person (by the shop’s own id) is in a segment: each clause with the value that decided',
  );
  ask(
    'why-not',
    'why a person is not in a segment: the clauses that keep them out, with their values',
  );
}

function addComparisons(segment: Command): void {
  segment
    .command('overlap <segments...>')
    .description(`the sizes of all intersections of 2 to ${OVERLAP_MAX} segments`)
    .addHelpText('after', example('segment overlap lapsed vip campaigns/win-back.ts'))
    .action((names: string[], _: unknown, command: Command) =>
      withContext(command, async (context) => {
        if (names.length < 2 || names.length > OVERLAP_MAX) {
          throw new KairosError(
            'SEGMENT_INVALID',
            `There are ${names.length} segments to compare; expected 2 to ${OVERLAP_MAX}.`,
          );
        }
        const wanted = await Promise.all(names.map((name) => readSegment(context.db, name)));
        const found = await overlapOf(
          context.warehouse,
          wanted.map((each) => each.segment),
          await asOfNow(context),
        );
        const rows = found.map(({ segments, inAll, only }) => ({
          segments: segments.map((index) => names[index]!),
          inAll,
          only,
        }));
        context.print({ overlaps: rows }, () =>
          table([
            ['segments', 'in all of them', 'and in no other'],
            ...rows.map((row) => [row.segments.join(' & '), row.inAll, row.only]),
          ]),
        );
      }),
    );
  segment
    .command('history <segment>')
    .description('size at the end of each day; days of a saved segment are kept once counted')
    .option('--days <n>', 'how many days back, today included', Number, 30)
    .addHelpText('after', example('segment history lapsed --days 14'))
    .action((name: string, options: { days: number }, command: Command) =>
      withContext(command, async (context) => {
        const wanted = await readSegment(context.db, name);
        const asOf = await asOfNow(context);
        const sizes = await segmentHistory(context, wanted, { ...asOf, days: options.days });
        context.print({ segment: name, sizes }, () =>
          table([
            ['day', 'people', ''],
            ...sizes.map((size) => [size.day, size.members, size.kept ? '' : 'counted now']),
          ]),
        );
      }),
    );
}

function addNames(segment: Command): void {
  segment
    .command('save <file>')
    .description('save a segment under a name, so that others can speak of it')
    .requiredOption('--name <name>', 'such as lapsed')
    .addHelpText('after', example('segment save campaigns/segments/lapsed.yaml --name lapsed'))
    .action((file: string, options: { name: string }, command: Command) =>
      withContext(command, async (context) => {
        const result = await saveSegment(context.db, options.name, await readWrittenSegment(file));
        context.print({ name: options.name, result }, () => `${options.name}: ${result}`);
      }),
    );
  segment
    .command('list')
    .description('the saved segments with their present sizes, in words')
    .addHelpText('after', example('segment list'))
    .action((_: unknown, command: Command) =>
      withContext(command, async (context) => {
        const { sizes, lagSeconds } = await liveSizes(context.db);
        const saved = [...(await savedSegments(context.db))].map(([name, definition]) => ({
          name,
          words: describeSegment(definition),
          definition,
          ...(sizes.get(name) ?? { members: 0, state: 'new' as const }),
        }));
        context.print({ segments: saved, lagSeconds }, () =>
          saved.length === 0
            ? 'No segment is saved; see "kairos segment save --help".'
            : `${table([
                ['segment', 'people now', '', 'in words'],
                ...saved.map(({ name, members, state, words }) => [
                  name,
                  state === 'new' ? '' : members,
                  state === 'live' ? '' : state,
                  words,
                ]),
              ])}\n${lagSeconds.toFixed(1)} s behind the log`,
        );
      }),
    );
  segment
    .command('snapshot <segment> <list>')
    .description('freeze the present members as a static list; who enters later is not on it')
    .addHelpText('after', example('segment snapshot lapsed lapsed-in-november'))
    .action((name: string, list: string, _: unknown, command: Command) =>
      withContext(command, async (context) => {
        const wanted = await readSegment(context.db, name);
        const options = { ...wanted.options, ...(await asOfNow(context)) };
        const query = await prepareSegment(context.warehouse, wanted.segment, options);
        const ids: number[] = [];
        for await (const batch of segmentMembers(context.warehouse, query)) {
          for (const { personId } of batch) ids.push(personId);
        }
        const receipt = await putMembersOnList(context.db, list, ids);
        context.print({ list, ...receipt }, () => listLine(list, receipt));
      }),
    );
}

function addLists(program: Command): void {
  const list = program.command('list').description('static lists of people');
  list
    .command('put <list> <file>')
    .description('put the customers of a file on a list: one id of the shop a line')
    .option('--replace', 'take everybody else off it')
    .addHelpText('after', example('list put fair-2026 visitors.txt'))
    .action((name: string, file: string, options: { replace?: boolean }, command: Command) =>
      withContext(command, async (context) => {
        const text = await readFile(file, 'utf8').catch(() => {
          throw new KairosError(
            'SEGMENT_INVALID',
            `There is no file ${file}; expected one with an id of a customer on each line.`,
          );
        });
        const ids = text
          .replace(/^\uFEFF/, '')
          .split(/\r\n|\n|\r/)
          .map((line) => line.trim())
          .filter((line) => line !== '');
        const receipt = await putOnList(context.db, name, [...new Set(ids)], {
          replace: options.replace ?? false,
        });
        context.print({ list: name, ...receipt }, () => listLine(name, receipt));
      }),
    );
  list
    .command('show')
    .description('the lists, with how many people are on each')
    .addHelpText('after', example('list show'))
    .action((_: unknown, command: Command) =>
      withContext(command, async (context) => {
        const found = await lists(context.db);
        context.print({ lists: found }, () =>
          found.length === 0
            ? 'There is no list; see "kairos list put --help".'
            : table(found.map(({ name, members }) => [name, members])),
        );
      }),
    );
}

function listLine(
  list: string,
  receipt: { added: number; removed: number; members: number; unknown: number },
): string {
  const unknown = receipt.unknown > 0 ? `; ${receipt.unknown} ids are nobody’s` : '';
  return `${list}: ${receipt.added} added, ${receipt.removed} taken off, ${receipt.members} on it${unknown}`;
}
