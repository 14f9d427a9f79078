import type { Command } from 'commander';
import { type ErasureReceipt, erasePerson, erasureOf } from '../../store/erasure.ts';
import { count } from '../demo/context.ts';
import { example, withContext } from './context.ts';

/** The right to be forgotten. */
export function addEraseCommand(program: Command): void {
  program
    .command('erase')
    .description('forget a person for good: address, name, traits, and what is personal in events')
    .argument('<person>', 'the shop’s id')
    .option('--yes', 'do it; without it, only what would be erased is shown', false)
    .addHelpText('after', example('erase customer-17 --yes'))
    .action((person: string, { yes }: { yes: boolean }, command: Command) =>
      withContext(command, async (context) => {
        const receipt = yes
          ? await erasePerson(context.db, person, { actor: 'operator' })
          : await erasureOf(context.db, person);
        context.print({ erased: yes, ...receipt }, () =>
          yes
            ? `Erased: ${words(receipt!)}. No mail goes to the mailbox any more, also if the shop sends it again.`
            : `Would erase ${words(receipt!)}. It cannot be undone; --yes does it.`,
        );
      }),
    );
}

function words({ people, events, messages, mailboxes }: ErasureReceipt): string {
  return [
    `${count(people)} ${people === 1 ? 'customer' : 'customers, merged into one,'}`,
    `what is personal in ${count(events)} events and ${count(messages)} messages`,
    `${count(mailboxes)} ${mailboxes === 1 ? 'mailbox' : 'mailboxes'}`,
  ].join(', ');
}
