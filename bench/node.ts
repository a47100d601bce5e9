/** Nodes for the bench, in one process, each over a link of its own. Arguments: URL, first id, how many, slots of each. */
import process from 'node:process';
import { createNode, defineHandler, defineTask } from 'pincer';
import { charts, serve } from './child.ts';

const [, , join = '', first = '0', count = '1', slots = '50'] = process.argv;
const handlers = [
  defineHandler(defineTask('noop'), () => null),
  defineHandler(defineTask('fails'), () => {
    throw new Error('as it is meant to');
  }),
  defineHandler(defineTask('reports'), async (call) => {
    await call.progress({ done: 1 });
    return call.input;
  }),
];
for (let index = 0; index < Number(count); index += 1) {
  const id = `bench-${String(Number(first) + index).padStart(3, '0')}`;
  await createNode({ charts, join, id, maxTasks: Number(slots), handlers });
}
serve({});
