/** No slot is ever given twice, whatever strategy places and whatever nodes say of their load. */
import { describe, expect, it } from 'vitest';
import { strategies } from '../../src/machines/policies/placement/index.ts';
import type { Payload } from '../../src/protocol/message.ts';
import { createTestCluster, type TestCluster } from '../../src/testing/cluster.ts';
import { MemoryPeer } from '../support/memory-peer.ts';

const SLOTS = [1, 2, 5, 10, 20];
const TASKS = 10_000;
const STEPS_MAX = 20_000;

/** A node that counts what it holds, and says of its load whatever comes to mind. */
class Liar {
  readonly #peer: MemoryPeer;
  readonly #nodeId: string;
  readonly #slots: number;
  readonly #random: () => number;
  readonly #held: Payload<'task_assign'>[] = [];
  #read = 0;
  done = 0;
  most = 0;

  private constructor(peer: MemoryPeer, nodeId: string, slots: number, random: () => number) {
    this.#peer = peer;
    this.#nodeId = nodeId;
    this.#slots = slots;
    this.#random = random;
  }

  static async join(cluster: TestCluster, slots: number): Promise<Liar> {
    const nodeId = `node-${slots}`;
    const peer = await MemoryPeer.join(cluster, nodeId, { maxTasks: slots });
    return new Liar(peer, nodeId, slots, cluster.random);
  }

  /** Takes what has come; ends some of what it holds. */
  step(): void {
    for (const { type, payload } of this.#peer.heard.splice(this.#read)) {
      if (type === 'task_assign') this.#held.push(payload);
    }
    this.#read = this.#peer.heard.length;
    this.most = Math.max(this.most, this.#held.length);
    for (let left = Math.ceil(this.#held.length * this.#random()); left > 0; left -= 1) {
      const [ended] = this.#held.splice(Math.floor(this.#random() * this.#held.length), 1);
      if (ended === undefined) break;
      const { taskId, attempt } = ended;
      this.#peer.say('task_result', { taskId, attempt, status: 'success', duration: 1 });
      this.done += 1;
    }
  }

  /** A heartbeat without a true word about its load; now and then there is none for long. */
  lie(): void {
    if (this.#random() < 0.5) return;
    const draw = (): number => Math.floor(this.#random() * 3) / 2;
    const load = { cpu: draw(), memory: draw(), tasks: Math.floor(this.#random() * 50) };
    const [nodeId, status] = [this.#nodeId, 'healthy'] as const;
    this.#peer.say('heartbeat', { nodeId, status, load, capabilities: [], maxTasks: this.#slots });
  }

  get isWithin(): boolean {
    return this.most <= this.#slots;
  }

  get isUsed(): boolean {
    return this.done > 0;
  }
}

describe('10 000 tasks on five nodes of unequal size whose heartbeats lie and lag', () => {
  it.each(Object.keys(strategies))(
    '#47 never overcommit a slot by even one, placed by %s',
    async (strategy) => {
      await using cluster = await createTestCluster({ seed: 11, gateway: { strategy } });
      const client = await cluster.client();
      const nodes: Liar[] = [];
      for (const slots of SLOTS) nodes.push(await Liar.join(cluster, slots));
      for (let count = 0; count < TASKS; count += 1) client.submit('job', null, { watch: false });
      let steps = 0;
      const done = (): number => nodes.reduce((sum, node) => sum + node.done, 0);
      for (; done() < TASKS && steps < STEPS_MAX; steps += 1) {
        for (const node of nodes) node.step();
        if (steps % 50 === 0) for (const node of nodes) node.lie();
        expect(nodes.every((node) => node.isWithin)).toBe(true);
        await cluster.advance(1);
      }
      expect(done()).toBe(TASKS);
      expect(nodes.map((node) => node.isUsed)).toEqual(nodes.map(() => true));
      // All room was used: nothing waited for a slot that was free.
      expect(nodes.map((node) => node.most)).toEqual(SLOTS);
    },
    120_000,
  );
});
