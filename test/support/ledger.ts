/** Work whose handler keeps a ledger, on real nodes, watched through the command line as an operator would. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { createClient, type NodeView, type TaskFilter, type TaskView } from '../../src/index.ts';
import { scratchDirectory } from '../handlers/tool-runner.ts';
import type { Processes } from './processes.ts';

/** The module of its handler, for `pincer node`. */
export const LEDGER_MODULE = fileURLToPath(new URL('../fixtures/nodes/ledger.mjs', import.meta.url));

export interface Work {
  readonly taskId: string;
  /** What the handler has done so far: `began 1`, `stopped 1`, `ended 2`. */
  lines(): readonly string[];
  /** Resolves when the ledger has the line. */
  has(line: string): Promise<void>;
  /** Lets the handler come to its end. */
  open(): void;
  task(): Promise<Record<string, unknown>>;
  /** Resolves when the task has come to a status, one that it stays in. */
  is(status: string): Promise<Record<string, unknown>>;
  why(): Promise<{ summary: string; nodes: readonly { nodeId: string; fits: boolean; reason: string }[] }>;
}

// biome-ignore lint/suspicious/noExplicitAny: what a command prints is looked into, not relied on.
type Json = any;

/** Runs a command with `--json` and reads what it prints. */
export async function ask(processes: Processes, url: string, args: readonly string[]): Promise<Json> {
  const { stdout, stderr } = await processes.run([...args, '--url', url, '--json']);
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

/**
 * Resolves when a node is in a status, with what `pincer nodes get` shows of it then. Asked over one link: a process for
 * each look would keep a core busy, and on a busy machine come too late for a status that passes.
 */
export async function nodeIs(url: string, nodeId: string, status: string): Promise<NodeView> {
  await using client = createClient({ url });
  let view: NodeView | undefined;
  const look = async (): Promise<string> => {
    view = await client.node(nodeId);
    return view.status;
  };
  await expect.poll(look).toBe(status);
  return view as unknown as NodeView;
}

/** The tasks that a gateway lists. */
export async function tasksOf(url: string, filter: TaskFilter = {}): Promise<readonly TaskView[]> {
  await using client = createClient({ url });
  return (await client.tasks(filter)).items;
}

/** Resolves when a task is in a status. */
export async function taskIs(url: string, taskId: string, status: string): Promise<void> {
  await using client = createClient({ url });
  await expect.poll(async () => (await client.task(taskId)).task.status).toBe(status);
}

/** Submits work and resolves once its handler has begun, or at once if it is not to be waited for. */
export async function startWork(
  processes: Processes,
  url: string,
  options: { isDeaf?: boolean; args?: readonly string[]; isWaitedFor?: boolean } = {},
): Promise<Work> {
  const { isDeaf = false, args = [], isWaitedFor = true } = options;
  const directory = scratchDirectory();
  const [ledger, gate] = [path.join(directory, 'ledger'), path.join(directory, 'gate')];
  const payload = JSON.stringify({ ledger, gate, isDeaf });
  const { taskId } = await ask(processes, url, ['run', 'work', payload, '--detach', ...args]);
  const work: Work = {
    taskId,
    lines() {
      try {
        return readFileSync(ledger, 'utf8').trim().split('\n');
      } catch {
        return [];
      }
    },
    has: (line) => expect.poll(work.lines).toContain(line),
    open: () => writeFileSync(gate, ''),
    task: async () => (await ask(processes, url, ['tasks', 'get', taskId])).task,
    async is(status) {
      await taskIs(url, taskId, status);
      return work.task();
    },
    why: () => ask(processes, url, ['why', taskId]),
  };
  if (isWaitedFor) {
    await work.has('began 1');
    // Its node knows before its gateway does; an attempt of which the gateway has not heard counts as none.
    await taskIs(url, taskId, 'running');
  }
  return work;
}
