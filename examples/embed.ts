/** Gateway, node and client in one process, typed from submit to result. */
import { createGateway, createNode, defineTask } from 'pincer';
import { z } from 'zod';

const count = defineTask('count-words', {
  input: z.object({ text: z.string() }),
  output: z.object({ words: z.number() }),
});

await using gateway = await createGateway({ listen: null });
await using node = await createNode({ join: gateway.dial });
node.handle(count, ({ input }) => ({ words: input.text.split(/\s+/).filter(Boolean).length }));

await using client = gateway.client();
const { words } = await client.submit(count, { text: 'one brain, many idle machines' });
console.log(`${words} words`);
