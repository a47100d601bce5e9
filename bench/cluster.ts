/** The contestants, each as a cluster of fresh processes: a hub, nodes with 100 slots in all, and one client. */
import { type BenchProcess, start } from './process.ts';

export type Contestant = 'pincer' | 'pincer on disk' | 'pincer untold' | 'pincer interpreted' | 'R0' | 'R1';

/** What its gateway is told; memory for every other. */
const GATEWAYS: Readonly<Record<string, string>> = { 'pincer on disk': 'disk', 'pincer untold': 'untold' };

export interface Cluster extends AsyncDisposable {
  readonly url: string;
  readonly hub: BenchProcess;
  readonly client: BenchProcess;
  readonly nodes: readonly BenchProcess[];
}

const SLOTS = 100;
const PROCESSES = 2;

/** Opens a cluster with that many nodes. They share two processes, since more would only wait for the same cores. */
export async function open(contestant: Contestant, nodeCount = 2): Promise<Cluster> {
  const opened: BenchProcess[] = [];
  const begin = async (name: string, args: readonly string[] = []): Promise<BenchProcess> => {
    const begun = await start(name, args, contestant === 'pincer interpreted' ? { PINCER_CHARTS: 'interpreted' } : {});
    opened.push(begun);
    return begun;
  };
  const end = async (): Promise<void> => {
    await Promise.all(opened.map((each) => each[Symbol.asyncDispose]()));
  };
  try {
    const isPincer = contestant !== 'R0' && contestant !== 'R1';
    const hub = isPincer
      ? await begin('gateway', [GATEWAYS[contestant] ?? 'memory'])
      : await begin('relay', [contestant]);
    const { url = '' } = hub.ready;
    const nodes: BenchProcess[] = [];
    const slots = String(Math.max(1, Math.floor(SLOTS / nodeCount)));
    const count = Math.min(PROCESSES, nodeCount);
    for (let index = 0; index < count; index += 1) {
      const from = Math.floor((index * nodeCount) / count);
      const many = String(Math.floor(((index + 1) * nodeCount) / count) - from);
      if (isPincer) nodes.push(await begin('node', [url, String(from), many, slots]));
      else nodes.push(await begin('relay', ['node', `${url}/node/${slots}`, many]));
    }
    const client = isPincer ? await begin('client', [url]) : await begin('relay-client', [`${url}/client`]);
    return {
      url,
      hub,
      client,
      nodes,
      async [Symbol.asyncDispose]() {
        if (contestant === 'pincer on disk') await hub.ask('stop');
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}
