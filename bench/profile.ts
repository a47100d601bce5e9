/**
 * `--profile`: where the time of W1 goes in the gateway, the client and a node; of W2, W3, W5 with 256 nodes, or W6 where it
 * is named. Samples a process with the inspector’s profiler while the tasks run, and sums the functions’ own time by room of
 * the house, by package, and for Node itself.
 */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { open } from './cluster.ts';
import { WINDOW } from './workloads.ts';

const WARM = 5_000;
const MANY = 60_000;
/** One at a time takes longer by the clock. */
const SEQUENTIAL = 10_000;
/** For W5: a frame for each task on each link. */
const NODES = 256;
/** For `--heap`, which needs no more: nothing of it is left to chance. */
const ALLOCATING = 20_000;
const SHOWN = 30;

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface HeapNode {
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly selfSize: number;
  readonly children: readonly HeapNode[];
}

/** Profiles, prints the tables, and says where the profiles are: any DevTools opens them. */
export async function profile(parts: ReadonlySet<string>): Promise<void> {
  await using cluster = await open(parts.has('W6') ? 'pincer on disk' : 'pincer', parts.has('W5') ? NODES : undefined);
  const work = parts.has('W2') || parts.has('W3') ? 'windowed' : 'many';
  const tasks = parts.has('W2') ? SEQUENTIAL : MANY;
  const folder = mkdtempSync(join(tmpdir(), 'pincer-bench-'));
  const { hub, client, nodes } = cluster;
  const processes = { gateway: hub, client, node: nodes[0] };
  await client.ask('many', { tasks: WARM });
  for (const each of Object.values(processes)) await each?.ask('profile');
  await client.ask(work, { tasks, window: parts.has('W2') ? 1 : WINDOW });
  for (const [name, each] of Object.entries(processes)) {
    const file = join(folder, `${name}.cpuprofile`);
    await each?.ask('profiled', { file });
    // The nodes share the tasks; one process of them is looked at.
    const own = name === 'node' ? tasks / nodes.length : tasks;
    show(name, JSON.parse(readFileSync(file, 'utf8')) as CpuProfile, own);
  }
  process.stdout.write(`\nprofiles: ${folder}\n`);
}

/**
 * `--heap`: how many bytes each task of W1 allocates in the gateway, the client and a node, and which functions do.
 * `--survivors`: the same of W3 and of what outlives a young collection, since that is what a collection costs.
 */
export async function heap(survivors: boolean): Promise<void> {
  await using cluster = await open('pincer');
  const folder = mkdtempSync(join(tmpdir(), 'pincer-bench-'));
  const { hub, client, nodes } = cluster;
  const processes = { gateway: hub, client, node: nodes[0] };
  await client.ask('many', { tasks: WARM });
  if (survivors) {
    // What a full collection has made old is a part of it; that the young generation is small right after one is not.
    for (const each of Object.values(processes)) await each?.ask('gc');
    await client.ask('many', { tasks: ALLOCATING });
  }
  for (const each of Object.values(processes)) await each?.ask('heap', { survivors });
  await client.ask(survivors ? 'windowed' : 'many', { tasks: ALLOCATING, window: WINDOW });
  for (const [name, each] of Object.entries(processes)) {
    const file = join(folder, `${name}.heapprofile`);
    await each?.ask('heaped', { file });
    // The nodes share the tasks; one process of them is looked at.
    const tasks = name === 'node' ? ALLOCATING / nodes.length : ALLOCATING;
    showHeap(name, (JSON.parse(readFileSync(file, 'utf8')) as { head: HeapNode }).head, tasks);
  }
  process.stdout.write(`\nprofiles: ${folder}\n`);
}

function showHeap(name: string, head: HeapNode, tasks: number): void {
  const bytes = new Map<string, number>();
  let total = 0;
  const add = ({ callFrame, selfSize, children }: HeapNode): void => {
    total += selfSize;
    const label = labelOf(callFrame);
    bytes.set(label, (bytes.get(label) ?? 0) + selfSize);
    for (const child of children) add(child);
  };
  add(head);
  process.stdout.write(`\n${name}: ${Math.round(total / tasks)} bytes a task, of which\n`);
  const sorted = [...bytes].sort(([, one], [, other]) => other - one).slice(0, SHOWN);
  for (const [label, size] of sorted)
    process.stdout.write(`  ${String(Math.round(size / tasks)).padStart(6)}  ${label}\n`);
}

function labelOf({ functionName, url, lineNumber }: HeapNode['callFrame']): string {
  const file = url.split('/').at(-1) ?? '';
  const where = file === '' ? '' : `  ${file}:${lineNumber + 1}`;
  return `${roomOf(functionName, url).padEnd(20)} ${functionName || '(anonymous)'}${where}`;
}

function show(name: string, { nodes, samples, timeDeltas }: CpuProfile, tasks: number): void {
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const rooms = new Map<string, number>();
  const functions = new Map<string, number>();
  let total = 0;
  for (const [index, id] of samples.entries()) {
    const frame = byId.get(id);
    const us = timeDeltas[index] ?? 0;
    if (frame === undefined || frame.functionName === '(idle)') continue;
    const room = roomOf(frame.functionName, frame.url);
    total += us;
    rooms.set(room, (rooms.get(room) ?? 0) + us);
    const label = labelOf(frame);
    functions.set(label, (functions.get(label) ?? 0) + us);
  }
  process.stdout.write(`\n${name}: ${(total / tasks).toFixed(1)} µs a task, of which\n`);
  list(rooms, total, tasks, Number.POSITIVE_INFINITY);
  process.stdout.write('  functions, own time\n');
  list(functions, total, tasks, SHOWN);
}

function list(times: ReadonlyMap<string, number>, total: number, tasks: number, shown: number): void {
  const sorted = [...times].sort(([, one], [, other]) => other - one).slice(0, shown);
  for (const [name, us] of sorted) {
    process.stdout.write(
      `  ${((100 * us) / total).toFixed(1).padStart(5)} %  ${(us / tasks).toFixed(2).padStart(6)} µs  ${name}\n`,
    );
  }
}

function roomOf(name: string, url: string): string {
  if (name === '(garbage collector)') return 'garbage collection';
  if (url.startsWith('node:')) return 'node';
  const room = /\/(?:dist|src)\/(?:(\w+)\/(?:(\w+)\/(?:\w+\/)*)?)?[\w.-]+$/.exec(url);
  const pack = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url);
  if (pack?.[1] !== undefined) return pack[1];
  if (room !== null) return `src/${[room[1], room[2]].filter((part) => part !== undefined).join('/')}`;
  if (url.includes('/bench/')) return 'bench';
  return 'native';
}
