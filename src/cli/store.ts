/** `pincer store`: what can be done to a store from outside, with or without a gateway that has it open. */
import process from 'node:process';
import { Command } from 'commander';
import { plainText } from '../client.ts';
import { checkStore, compactStore, exportStore, type StoreFault } from '../store.ts';
import { EXIT } from './exit-codes.ts';
import { parsePlace } from './option-values.ts';
import { DEFAULT_ADDRESS, type SharedOptions, withOutput } from './options.ts';
import { createOutput } from './output.ts';
import { storeDir } from './store-place.ts';

interface StoreOptions extends SharedOptions {
  readonly store?: string;
  readonly to?: string;
}

export function storeCommand(): Command {
  const command = new Command('store');
  command.addCommand(
    withStore('check', 'see whether it is whole: every index, history and counter against the records')
      .addHelpText('after', '\nReads only; gateways may go on working. Exits with 10 when something is wrong.')
      .action(check),
  );
  command.addCommand(
    withStore('compact', 'give room back to the disk that forgotten tasks have left')
      .option('--to <file>', 'write a copy instead, while gateways go on working', parsePlace)
      .action(compact),
  );
  command.addCommand(
    withStore('export', 'print every task as a line of JSON, with its history and its bytes').action(print),
  );
  return command;
}

function withStore(name: string, description: string): Command {
  return withOutput(new Command(name))
    .description(description)
    .option('--store <dir>', 'the directory (default: that of a gateway at the default address)', parsePlace);
}

async function check(options: StoreOptions): Promise<void> {
  const dir = storeDir(options.store, DEFAULT_ADDRESS);
  const output = createOutput(options);
  const { tasks, entries, faults, total } = await checkStore(dir);
  if (total > 0) process.exitCode = EXIT.degraded;
  output.result({ store: dir, isWhole: total === 0, tasks, entries, faults, total }, () => {
    const looked = `${tasks} tasks and ${entries} entries of indexes in ${dir}`;
    if (total === 0) return `${looked}: all is as it should be`;
    const more = total > faults.length ? [`… and ${total - faults.length} more`] : [];
    const mend = 'Stop the gateways, keep a copy of the directory, and report this. Finished tasks can be exported.';
    return [`${looked}: ${total} faults`, ...faults.map(lineOf), ...more, mend].join('\n');
  });
}

async function compact(options: StoreOptions): Promise<void> {
  const dir = storeDir(options.store, DEFAULT_ADDRESS);
  const compaction = await compactStore(dir, { to: options.to });
  createOutput(options).result(compaction, () => {
    const { file, bytesBefore, bytesAfter } = compaction;
    return `${file}: ${bytesBefore} bytes became ${bytesAfter}`;
  });
}

async function print(options: StoreOptions): Promise<void> {
  for await (const task of exportStore(storeDir(options.store, DEFAULT_ADDRESS))) {
    if (process.stdout.write(`${JSON.stringify(task)}\n`)) continue;
    await new Promise((resolve) => process.stdout.once('drain', resolve));
  }
}

function lineOf({ kind, taskId, says }: StoreFault): string {
  return plainText(`${kind}: ${taskId === undefined ? '' : `${taskId}: `}${says}`, 500);
}
