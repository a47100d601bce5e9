/** Follows a task’s progress, and cancels it half-way: the handler is told by its signal, and has the last word. */
import { createGateway, createNode, defineTask, PincerError } from 'pincer';
import { z } from 'zod';

const countdown = defineTask('countdown', {
  input: z.object({ from: z.number() }),
  progress: z.object({ left: z.number() }),
  timeoutMs: 60_000,
});

await using gateway = await createGateway({ listen: null });
await using node = await createNode({ join: gateway.dial });
node.handle(countdown, async ({ input, signal, progress }) => {
  for (let left = input.from; left > 0; left -= 1) {
    signal.throwIfAborted();
    await progress({ left });
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
});

await using client = gateway.client();
const handle = client.submit(countdown, { from: 1_000 });
for await (const { left } of handle.progress) {
  if (left > 990) continue;
  await handle.cancel();
  break;
}
try {
  await handle;
} catch (error) {
  if (!(error instanceof PincerError)) throw error;
  console.log(`ended as ${error.code}`);
}
