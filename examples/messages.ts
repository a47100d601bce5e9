/** Nodes that talk to each other through the gateway: a question with its answer, and a topic. */
import { createGateway, createNode } from 'pincer';

await using gateway = await createGateway({ listen: null });
await using archive = await createNode({ join: gateway.dial, id: 'archive' });
await using desk = await createNode({ join: gateway.dial, id: 'desk' });

archive.messages.onMessage(({ from, body }) => `${from} asked for ${String(body)}`);
console.log(await desk.messages.request('archive', 'the letters of 1924'));

let heard = '';
await archive.messages.subscribe('news', ({ body }) => {
  heard = String(body);
});
// Reliable: resolves when every subscriber has dealt with it.
await desk.messages.publish('news', 'closing time', { reliable: true });
console.log(heard);
