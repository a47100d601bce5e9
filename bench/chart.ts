/** One contestant of charts.ts: lives of tasks and turns of a node, under their hosts. Argument: compiled or interpreted. */
import process from 'node:process';
import { serve } from './child.ts';

// From dist, as users run it: the loader of this file names each closure anew, which costs more than making it.
const room = <Room>(path: string): Promise<Room> => import(new URL(`../dist/${path}.js`, import.meta.url).href);
const { createHost } = await room<typeof import('../src/actors/charts/actor-host.ts')>('actors/charts/actor-host');
const { chartsOf } = await room<typeof import('../src/actors/charts/charts.ts')>('actors/charts/charts');
const { startActor } = await room<typeof import('../src/actors/charts/start-actor.ts')>('actors/charts/start-actor');
const { gatewayMachine } = await room<typeof import('../src/machines/gateway.ts')>('machines/gateway');
const { nodeMachine } = await room<typeof import('../src/machines/node.ts')>('machines/node');
const { taskMachine } = await room<typeof import('../src/machines/task.ts')>('machines/task');

const charts = chartsOf(process.argv[2]);
const result = new Uint8Array(200);
const parent = startActor(gatewayMachine, { charts, id: 'gateway', onCommand() {}, onError() {} });
let [commands, ends] = [0, 0];
const owner = {
  onCommand: () => {
    commands += 1;
  },
  onDone: () => {
    ends += 1;
  },
  onError: (_id: string, error: unknown) => {
    throw error;
  },
};
const tasks = createHost(taskMachine, { charts, parent, id: 'tasks', owner });
const nodes = createHost(nodeMachine, { charts, parent, id: 'nodes', owner });
nodes.spawn('node', { nodeId: 'node' });

/** Pending, assigned, running, settling, completed: four events, three commands. */
function live(id: string): void {
  tasks.spawn(id, { taskId: id, attempt: 0, failures: 0, crashes: 0, attemptsMax: 3, crashesMax: 5, isDelayed: false });
  tasks.tell(id, { type: 'task.placed', nodeId: 'node', attempt: 1 });
  tasks.tell(id, { type: 'attempt.started' });
  tasks.tell(id, { type: 'attempt.succeeded', result, runMs: 1 });
  tasks.tell(id, { type: 'outcome.stored' });
}

/** Online, busy, online: two events, two assigns, one command. */
function turn(): void {
  nodes.tell('node', { type: 'slots.filled' });
  nodes.tell('node', { type: 'slots.freed' });
}

serve(
  {},
  {
    /** Microseconds of processor time for each life, and for each event of a node. */
    measure({ times }: { times: number }) {
      [commands, ends] = [0, 0];
      const lifeUs = usOf(times, (index) => live(`task-${index}`));
      const turnUs = usOf(times, turn);
      if (ends !== times || commands !== 4 * times) throw new Error(`${ends} ends, ${commands} commands`);
      return { lifeUs, eventUs: turnUs / 2 };
    },
  },
);

function usOf(times: number, act: (index: number) => void): number {
  const before = process.cpuUsage();
  for (let index = 0; index < times; index += 1) act(index);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / times;
}
