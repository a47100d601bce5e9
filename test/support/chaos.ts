/** One run of a cluster under faults from a seed: what is done to it, and whether it kept its word. */
import type { TaskHandle } from '../../src/actors/client/handle.ts';
import { defineHandler } from '../../src/actors/node/runner.ts';
import { defineTask } from '../../src/actors/task-definition.ts';
import { seededRandom } from '../../src/actors/world/seeded-random.ts';
import { contradictions, replayHistory } from '../../src/machines/task-replay.ts';
import type { PincerError } from '../../src/protocol/failure.ts';
import { createTestCluster, type TestCluster } from '../../src/testing/cluster.ts';
import type { Faults } from '../../src/transport/memory.ts';

export interface Chaos {
  readonly faults: Faults;
  readonly kills: number;
  readonly cuts: number;
  readonly partitions: number;
  readonly gatewayKills?: number;
}

export interface Verdict {
  readonly settled: number;
  /** Outcomes that the store accepted. */
  readonly accepted: number;
  /** What did not hold, in words. */
  readonly problems: readonly string[];
}

const SLOTS = 4;
const square = defineTask('square', { timeoutMs: 60_000 });

export async function runChaos(seed: number, chaos: Chaos & { tasks: number; nodes: number }): Promise<Verdict> {
  const dice = seededRandom(seed * 7_919);
  const problems: string[] = [];
  // Whatever is killed under a task does not count against it here: what is asked is that it ends, and ends right.
  await using cluster = await createTestCluster({ seed, limits: { crashesMax: 1_000 } });
  const alive = new Set<string>();
  let born = 0;

  async function bear(id?: string): Promise<void> {
    born += 1;
    const nodeId = id ?? `node-${born}`;
    alive.add(nodeId);
    await cluster.node(nodeId, { maxTasks: SLOTS, handlers: [squares(cluster, problems, dice)] });
  }

  for (let index = 0; index < chaos.nodes; index += 1) await bear();
  const client = await cluster.client('client');
  cluster.network.setFaults(chaos.faults);
  const handles: TaskHandle[] = [];
  let settled = 0;
  for (let n = 0; n < chaos.tasks; n += 1) {
    const handle = client.submit(square, n, { priority: 1 + Math.floor(dice() * 10), attempts: 20 });
    handles.push(handle);
    handle.outcome().then(
      ({ status, result, error }) => {
        settled += 1;
        if (status !== 'completed' || result !== n * n)
          problems.push(
            `task ${n} ended as ${status} with ${String(result)} ${error?.code ?? ''} ${error?.message ?? ''}`,
          );
      },
      (error: PincerError) => problems.push(`task ${n} was refused: ${error.code} ${error.message}`),
    );
  }

  for (const blow of shuffled(blowsOf(chaos), dice)) {
    await cluster.advance(dice() * 3_000);
    const victim = [...alive][Math.floor(dice() * alive.size)] ?? 'node-1';
    switch (blow) {
      case 'kill': {
        cluster.kill(victim);
        alive.delete(victim);
        // The same name again at once, or another one a moment later.
        if (dice() < 0.5) await bear(victim);
        else {
          await cluster.advance(dice() * 5_000);
          await bear();
        }
        break;
      }
      case 'cut':
        cluster.network.cut(dice() < 0.3 ? 'client' : victim);
        break;
      case 'partition':
        cluster.network.partition(dice() < 0.3 ? 'client' : victim);
        await cluster.advance(dice() * 40_000);
        cluster.network.heal();
        break;
      case 'gateway':
        await cluster.restartGateway();
        break;
      default:
        throw new Error(`unknown blow ${String(blow)}`);
    }
  }
  cluster.network.heal();
  await cluster.advance(2_000);
  cluster.network.setFaults({});
  await cluster
    .until(() => settled === chaos.tasks || problems.length > 0, 900_000)
    .catch((error: Error) => {
      problems.push(error.message);
    });
  if (problems.length > 0) {
    const unsettled = await cluster.store.stats();
    problems.push(`store: ${JSON.stringify(unsettled.byStatus)}`);
    return { settled, accepted: 0, problems };
  }
  // What is overdue has to end, and what is gone to be forgotten.
  await cluster.advance(120_000);
  const { counters } = await cluster.gateway.stats();
  if (counters['liveTasks'] !== 0) problems.push(`${counters['liveTasks']} tasks are live at the end`);
  for (const node of await cluster.until(client.nodes())) {
    if (node.tasks !== 0) problems.push(`${node.nodeId} (${node.status}) has ${node.tasks} slots taken at the end`);
  }
  let accepted = 0;
  for (const handle of handles) {
    const history = await cluster.store.history(handle.taskId);
    accepted += history.filter(({ event }) => event === 'task.completed').length;
    const record = await cluster.store.get(handle.taskId);
    if (record === null) continue;
    const replay = replayHistory(history, record);
    problems.push(
      ...[...replay.problems, ...contradictions(record, replay)].map((said) => `${handle.taskId}: ${said}`),
    );
  }
  return { settled, accepted, problems };
}

/** Squares a number, slowly; complains when a node runs more at once than it has slots. */
function squares(cluster: TestCluster, problems: string[], dice: () => number) {
  let running = 0;
  return defineHandler(square, async ({ input, signal }) => {
    running += 1;
    if (running > SLOTS) problems.push(`${running} attempts run on ${SLOTS} slots`);
    try {
      await new Promise<void>((resolve, reject) => {
        const cancel = cluster.clock.schedule(dice() * 2_000, resolve);
        signal.addEventListener('abort', () => {
          cancel();
          reject(signal.reason as Error);
        });
      });
      if (dice() < 0.05) throw new Error('by chance');
      return (input as number) ** 2;
    } finally {
      running -= 1;
    }
  });
}

function blowsOf({ kills, cuts, partitions, gatewayKills = 0 }: Chaos): string[] {
  const times = (count: number, blow: string): string[] => Array.from({ length: count }, () => blow);
  return [
    ...times(kills, 'kill'),
    ...times(cuts, 'cut'),
    ...times(partitions, 'partition'),
    ...times(gatewayKills, 'gateway'),
  ];
}

function shuffled<Item>(items: readonly Item[], dice: () => number): Item[] {
  return items
    .map((item) => ({ item, at: dice() }))
    .sort((one, other) => one.at - other.at)
    .map(({ item }) => item);
}
