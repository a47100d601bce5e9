/** A node for the bench: one no-op handler. Arguments: URL, id, slots. */
import process from 'node:process';
import { createNode, defineHandler, defineTask } from 'pincer';

const [, , join = '', id = '', slots = '50'] = process.argv;
const noop = defineHandler(defineTask('noop'), () => null);
await createNode({ join, id, maxTasks: Number(slots), handlers: [noop] });
process.stdout.write(`${JSON.stringify({ id })}\n`);
