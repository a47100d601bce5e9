/**
 * How a gateway parts with its work when it drains. With other gateways there, everybody is sent away at once: nodes dial
 * one of the others, which adopts what they run. Whoever knows no other comes back and finishes here. Alone, the gateway
 * waits until what runs has ended.
 */
import type { Store } from '../store/store.ts';
import type { World } from '../world/world.ts';
import type { Bus } from './cluster/bus.ts';
import type { Sessions } from './sessions/sessions.ts';
import type { Tasks } from './tasks/tasks.ts';

export interface HandoverOptions {
  readonly store: Store;
  readonly tasks: Tasks;
  readonly sessions: Sessions;
  readonly bus: Bus;
  readonly gatewayId: () => string;
}

export class Handover {
  readonly #world: World;
  readonly #options: HandoverOptions;

  constructor(world: World, options: HandoverOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** Resolves when the gateway owns nothing any more. Rejects if the store cannot tell. */
  async start(): Promise<void> {
    const { store, tasks, sessions, bus, gatewayId } = this.#options;
    await bus.look();
    if (bus.others.size === 0) return tasks.whenIdle();
    this.#world.log.info('gateway.handover', { attempts: tasks.size, sessions: sessions.size });
    // Before the sessions go: nodes that move are not lost, and their attempts are nobody’s failure.
    tasks.dropAll();
    sessions.sendAway();
    do {
      await tasks.whenIdle();
      await this.#pause();
    } while ((await store.owned(gatewayId())).length > 0);
  }

  #pause(): Promise<void> {
    const { deadlines, limits } = this.#world;
    return new Promise((resolve) => void deadlines.set(limits.undeliveredRetryMs, resolve));
  }
}
