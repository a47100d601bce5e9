/**
 * The references, over the same `ws` and msgpackr: what a hub in Node can do at most. Messages are arrays of a number and
 * opaque bytes, many to a frame. Arguments: `R0`, `R1`, or `node URL COUNT`.
 *
 * R0 passes whole frames on and knows nothing of what is in them: the limit of the wire.
 * R1 has the smallest possible scheduler: a table of plain objects, one FIFO, slots, the node with the fewest running.
 * Neither acknowledges, fences, checks or keeps anything.
 */
import { once } from 'node:events';
import process from 'node:process';
import { Packr } from 'msgpackr';
import { WebSocket, WebSocketServer } from 'ws';
import { serve } from './child.ts';

type Entry = readonly [number, Uint8Array];

interface RelayNode {
  readonly socket: WebSocket;
  readonly slots: number;
  running: number;
  batch: Entry[];
}

interface RelayTask {
  readonly id: number;
  readonly payload: Uint8Array;
  node: RelayNode | null;
}

const packr = new Packr({ useRecords: false });
const NIL = new Uint8Array([0xc0]);
const [, , role = '', url = '', many = '1'] = process.argv;

function open(onConnection: (socket: WebSocket, path: string) => void): void {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  server.on('connection', (socket, request) => onConnection(socket, request.url ?? ''));
  server.on('listening', () => serve({ url: `ws://127.0.0.1:${(server.address() as { port: number }).port}` }));
}

function relay(): void {
  const nodes: WebSocket[] = [];
  let client: WebSocket | null = null;
  let turn = 0;
  open((socket, path) => {
    const isNode = path.startsWith('/node');
    if (isNode) nodes.push(socket);
    else client = socket;
    socket.on('message', (data) => {
      const to = isNode ? client : nodes[turn++ % nodes.length];
      to?.send(data);
    });
  });
}

function schedule(): void {
  const nodes: RelayNode[] = [];
  const tasks = new Map<number, RelayTask>();
  const line: RelayTask[] = [];
  let first = 0;
  let client: WebSocket | null = null;

  const place = (): void => {
    while (first < line.length) {
      let best: RelayNode | null = null;
      for (const node of nodes) {
        if (node.running < node.slots && (best === null || node.running < best.running)) best = node;
      }
      if (best === null) break;
      const task = line[first++] as RelayTask;
      task.node = best;
      best.running += 1;
      best.batch.push([task.id, task.payload]);
    }
    if (first > 1_024 && first * 2 > line.length) {
      line.splice(0, first);
      first = 0;
    }
    for (const node of nodes) {
      if (node.batch.length === 0) continue;
      node.socket.send(packr.pack(node.batch));
      node.batch = [];
    }
  };

  open((socket, path) => {
    if (path.startsWith('/node')) {
      nodes.push({ socket, slots: Number(path.split('/')[2]), running: 0, batch: [] });
      socket.on('message', (data) => {
        const results = packr.unpack(data as Buffer) as Entry[];
        for (const [id] of results) {
          const task = tasks.get(id);
          tasks.delete(id);
          if (task?.node) task.node.running -= 1;
        }
        client?.send(packr.pack(results));
        place();
      });
    } else {
      client = socket;
      socket.on('message', (data) => {
        for (const [id, payload] of packr.unpack(data as Buffer) as Entry[]) {
          const task = { id, payload: new Uint8Array(payload), node: null };
          tasks.set(id, task);
          line.push(task);
        }
        place();
      });
    }
  });
}

async function work(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.on('message', (data) => {
      const entries = packr.unpack(data as Buffer) as Entry[];
      socket.send(packr.pack(entries.map(([id]) => [id, NIL])));
    });
    await once(socket, 'open');
  }
  serve({});
}

if (role === 'R0') relay();
else if (role === 'R1') schedule();
else await work(Number(many));
