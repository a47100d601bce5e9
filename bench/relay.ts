/**
 * The floor: a hub that only passes frames on. Batches of task-like messages go client → hub → node and their answers
 * back, decoded and encoded at each stop but for the opaque payload; nothing is queued, placed, fenced or kept.
 * Arguments: `hub`, or `node URL`.
 */
import process from 'node:process';
import { Packr } from 'msgpackr';
import { WebSocket, WebSocketServer } from 'ws';

const packr = new Packr({ useRecords: false });
const [, , role = '', url = ''] = process.argv;

if (role === 'hub') {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  const nodes: WebSocket[] = [];
  let client: WebSocket | null = null;
  let turn = 0;
  server.on('connection', (socket, request) => {
    const isNode = request.url === '/node';
    if (isNode) nodes.push(socket);
    else client = socket;
    socket.on('message', (data) => {
      const messages = packr.unpack(data as Buffer) as unknown[];
      const to = isNode ? client : nodes[turn++ % nodes.length];
      to?.send(packr.pack(messages));
    });
  });
  server.on('listening', () => {
    const { port } = server.address() as { port: number };
    process.stdout.write(`${JSON.stringify({ url: `ws://127.0.0.1:${port}` })}\n`);
  });
} else {
  const socket = new WebSocket(`${url}/node`, { perMessageDeflate: false });
  socket.on('message', (data) => {
    const messages = packr.unpack(data as Buffer) as { payload: { taskId: string } }[];
    socket.send(
      packr.pack(
        messages.map(({ payload: { taskId } }) => ({
          type: 'task_result',
          id: 1,
          payload: { taskId, attempt: 1, status: 'success', result: new Uint8Array([0xc0]), duration: 1 },
        })),
      ),
    );
  });
  socket.on('open', () => process.stdout.write('{}\n'));
}
