/**
 * How many tasks of one client may be unsettled at once, over all gateways of the store: counted from its submit until
 * the task settles, and again from its redrive. Tasks that name no client, as those of schedules, are not counted.
 */
import type { Limits } from '../../protocol/limits.ts';
import type { Table } from './tables.ts';

export class ClientQuota {
  readonly #limits: Pick<Limits, 'clientTasksMax'>;
  /** How many tasks each client has that have not settled; none is not kept. */
  readonly #unsettled: Table<number>;

  constructor(limits: Pick<Limits, 'clientTasksMax'>, unsettled: Table<number>) {
    this.#limits = limits;
    this.#unsettled = unsettled;
  }

  /** Why a client may not have one task more, or null. */
  refusal(client: string | undefined): string | null {
    if (client === undefined) return null;
    const tasks = this.#unsettled.get(client) ?? 0;
    const { clientTasksMax } = this.#limits;
    if (tasks < clientTasksMax) return null;
    return `${client} has ${tasks} tasks that have not settled, and clientTasksMax is ${clientTasksMax}`;
  }

  add(client: string | null): void {
    if (client !== null) this.#unsettled.set(client, (this.#unsettled.get(client) ?? 0) + 1);
  }

  drop(client: string | null): void {
    if (client === null) return;
    const tasks = (this.#unsettled.get(client) ?? 0) - 1;
    if (tasks > 0) this.#unsettled.set(client, tasks);
    else this.#unsettled.delete(client);
  }
}
