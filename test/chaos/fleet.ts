/** The processes of a run and the wires between them: each node and the client reach each gateway by a wire of its own. */
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Processes } from '../support/processes.ts';
import { Member } from './member.ts';
import { Wire } from './wire.ts';

const HANDLERS = fileURLToPath(new URL('handlers.mjs', import.meta.url));

/** Shorter than the defaults, so that what takes a minute happens in seconds; otherwise the same in proportion. */
const LIMITS = {
  ...{ heartbeatMs: 1_000, suspectAfterMs: 2_000, offlineAfterMs: 5_000, removeAfterMs: 20_000 },
  ...{ resumeWindowMs: 2_000, reconnectMaxMs: 1_000, leaseMs: 3_000, fenceMs: 2_000, leaseRenewMs: 900, sweepMs: 500 },
} as const;

/** The same for the client of the run. */
export const CLIENT_LIMITS: Readonly<Record<string, number>> = LIMITS;

export interface FleetOptions {
  readonly gateways: number;
  readonly nodes: number;
  readonly slots: number;
  /** Where handlers write what they do. */
  readonly ledger: string;
  /** The directory of the store; null: each gateway has its own memory, so there may be one, and it is never killed. */
  readonly store: string | null;
}

export class Fleet implements AsyncDisposable {
  readonly gateways: Member[] = [];
  readonly nodes: Member[] = [];
  /** The wires of each member that dials, and of the client. */
  readonly wires = new Map<string, Wire[]>();
  readonly #processes = new Processes();
  // Whatever ends the driver ends them: nothing of a run is left behind.
  readonly #killAll = (): void => {
    for (const member of [...this.gateways, ...this.nodes]) void member.kill();
  };

  /** Starts everything, and resolves once every node has joined. */
  static async start(options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet();
    try {
      await fleet.#launch(options);
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
    return fleet;
  }

  /** What the client dials. */
  get urls(): string[] {
    return this.#urlsOf('client');
  }

  /** Around all wires, for whoever is no part of the run: the first gateway’s own address. */
  directUrl = '';

  run(args: readonly string[]) {
    return this.#processes.run(args);
  }

  /** Everything runs, nothing is in the way. */
  async heal(): Promise<void> {
    for (const wire of this.#wires()) wire.heal();
    const members = [...this.gateways, ...this.nodes];
    for (const member of members) member.continue();
    await Promise.all(members.map((member) => member.start()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#killAll);
    await this.#processes[Symbol.asyncDispose]();
    await Promise.all(this.#wires().map((wire) => wire.close()));
  }

  async #launch({ gateways, nodes, slots, ledger, store }: FleetOptions): Promise<void> {
    process.once('exit', this.#killAll);
    const limits = Object.entries(LIMITS).flatMap(([name, value]) => ['--limit', `${name}=${value}`]);
    const kept = ['--store', store ?? 'memory'];
    const ports: number[] = [];
    for (let index = 0; index < gateways; index += 1) {
      const name = `gateway-${index + 1}`;
      // The first time any free port, then always the same: the wires lead there.
      const args = () => [
        'gateway',
        '--listen',
        `127.0.0.1:${ports[index] ?? 0}`,
        '--id',
        name,
        '--json',
        ...kept,
        ...limits,
      ];
      const member = new Member(this.#processes, { name, kind: 'gateway', args, env: {} });
      const ready = await member.start();
      ports.push(Number(new URL(String(ready['url'])).port));
      this.gateways.push(member);
    }
    this.directUrl = `ws://127.0.0.1:${ports[0]}`;
    await this.#lay('client', ports);
    for (let index = 0; index < nodes; index += 1) {
      const name = `node-${index + 1}`;
      await this.#lay(name, ports);
      // Every other node keeps its results on disk: what holds of the others holds of it.
      const outbox = index % 2 === 0 ? [] : ['--outbox', path.join(ledger, `outbox-${name}`)];
      const args = () => {
        const joins = this.#urlsOf(name).flatMap((url) => ['--join', url]);
        return ['node', HANDLERS, '--id', name, '--max-tasks', String(slots), '--json', ...joins, ...outbox, ...limits];
      };
      const env = { CHAOS_NODE: name, CHAOS_LEDGER: path.resolve(ledger) };
      this.nodes.push(new Member(this.#processes, { name, kind: 'node', args, env }));
    }
    await Promise.all(this.nodes.map((node) => node.start()));
  }

  async #lay(name: string, ports: readonly number[]): Promise<void> {
    this.wires.set(name, await Promise.all(ports.map((port) => Wire.start(port))));
  }

  #urlsOf(name: string): string[] {
    return (this.wires.get(name) ?? []).map(({ port }) => `ws://127.0.0.1:${port}`);
  }

  #wires(): Wire[] {
    return [...this.wires.values()].flat();
  }
}
