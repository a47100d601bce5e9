/**
 * Messages between peers of different gateways. To one peer: to the gateway that is known to have it, else to all, and
 * the one that has it answers. To many: every gateway passes them on to its own, and tells how many they were.
 */
import { PincerError } from '../../../protocol/failure.ts';
import { MESSAGES, type Payload } from '../../../protocol/message.ts';
import type { World } from '../../world/world.ts';
import type { Bus } from './bus.ts';

/** What a gateway does with messages for its own peers. */
export interface LocalPeers {
  /** Resolves when the peer has the message. Rejects with NODE_UNKNOWN if it is not attached here. */
  deliver(from: string, to: string, payload: Payload<'direct'>): Promise<void>;
  /** Resolves with how many had it. */
  spread(from: string, payload: Payload<'broadcast'>): Promise<number>;
}

export class Exchange {
  readonly #world: World;
  readonly #bus: Bus;
  /** Which gateway a peer was last heard of from. */
  readonly #routes = new Map<string, string>();

  constructor(world: World, { bus, peers }: { bus: Bus; peers: LocalPeers }) {
    this.#world = world;
    this.#bus = bus;
    bus.on('direct', (body, gateway) => {
      const { from, to, payload } = body as { from: string; to: string; payload: unknown };
      this.#learn(from, gateway);
      return peers.deliver(from, to, MESSAGES.direct.payload.parse(payload));
    });
    bus.on('broadcast', (body, gateway) => {
      const { from, payload } = body as { from: string; payload: unknown };
      this.#learn(from, gateway);
      return peers.spread(from, MESSAGES.broadcast.payload.parse(payload));
    });
  }

  /** Whether there is no other gateway. */
  get isAlone(): boolean {
    return this.#bus.others.size === 0;
  }

  /** Rejects with NODE_UNKNOWN if no other gateway has the peer, else with what kept the message from it. */
  async direct(from: string, to: string, payload: Payload<'direct'>): Promise<void> {
    const note = { from, to, payload };
    const timeoutMs = this.#timeoutMs(payload);
    const route = this.#routes.get(to);
    if (route !== undefined && this.#bus.others.has(route)) {
      try {
        await this.#bus.ask(route, 'direct', note, timeoutMs);
        return;
      } catch (error) {
        if (!isUnknown(error)) throw error;
      }
    }
    this.#routes.delete(to);
    const asked = [...this.#bus.others].map(async (gateway) => {
      await this.#bus.ask(gateway, 'direct', note, timeoutMs);
      this.#learn(to, gateway);
    });
    try {
      await Promise.any(asked);
    } catch (error) {
      const { errors } = error as AggregateError;
      throw errors.find((each) => !isUnknown(each)) ?? new PincerError('NODE_UNKNOWN', `no gateway has '${to}'`);
    }
  }

  /** Resolves with how many peers of the other gateways had it, as far as these have answered. */
  async broadcast(from: string, payload: Payload<'broadcast'>): Promise<number> {
    const answers = await this.#bus.askAll('broadcast', { from, payload }, this.#timeoutMs(payload));
    return answers.reduce<number>((sum, count) => sum + (typeof count === 'number' ? count : 0), 0);
  }

  /** A reliable message waits until its receiver has dealt with it, as a request does. */
  #timeoutMs({ reliable }: { reliable?: boolean | undefined }): number {
    const { requestMs, busReplyMs } = this.#world.limits;
    return reliable === true ? requestMs : busReplyMs;
  }

  #learn(peerId: string, gateway: string): void {
    this.#routes.delete(peerId);
    const [oldest] = this.#routes.keys();
    if (this.#routes.size >= this.#world.limits.nodesMax && oldest !== undefined) this.#routes.delete(oldest);
    this.#routes.set(peerId, gateway);
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof PincerError && error.code === 'NODE_UNKNOWN';
}
