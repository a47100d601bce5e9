/**
 * What goes out: tasks of the type `channel/NAME`, which only the instance that holds the channel takes. So retries,
 * backoff, the list of what could not be delivered and the way to send it after all are those of every task. The task’s id
 * is the idempotency key: at least once, and once as far as this process and the platform can tell.
 */
import { z } from 'zod';
import type { GatewayCalls } from '../actors/client/calls.ts';
import type { SettledTask } from '../actors/client/handle.ts';
import { type Call, defineTask } from '../actors/task-definition.ts';
import type { World } from '../actors/world/world.ts';
import { PincerError } from '../protocol/failure.ts';
import { Identifier } from '../protocol/identifier.ts';
import { underEither } from '../transport/either-signal.ts';
import type { Changes } from './changes.ts';
import type { ChannelCounters } from './counters.ts';
import type { OpenPlatform, OutboundMessage } from './platform.ts';
import { Recent } from './recent.ts';
import { isForgotten } from './words.ts';

/** What anybody may submit to send something out over a channel: where to, and either a text or the task to reply with. */
export const Delivery = z.union([
  z.strictObject({ to: z.unknown(), text: z.string().min(1).max(100_000), data: z.unknown().optional() }),
  z.strictObject({ to: z.unknown(), of: Identifier }),
]);
export type Delivery = z.infer<typeof Delivery>;

/** The task type of what a channel sends out. */
export function deliveryTypeOf(name: string): string {
  return `channel/${name}`;
}

/** How often an attempt may wait for a platform that says when to come back. */
const WAITS_MAX = 3;
/** A longer wait is told to everybody: who looks for a reply would think it lost. */
const LONG_WAIT_MS = 60_000;

export interface DeliveriesOptions {
  readonly name: string;
  readonly gateway: GatewayCalls;
  readonly counters: ChannelCounters;
  readonly changes: Changes;
  readonly replyText: (settled: SettledTask) => string;
}

export class Deliveries {
  readonly definition;
  readonly #world: World;
  readonly #options: DeliveriesOptions;
  readonly #made: Recent;
  /** By key: an attempt that comes while another is at it has the same end. */
  readonly #underWay = new Map<string, Promise<void>>();
  /** When those that wait for a platform that has asked for patience go on, on the clock, by key. */
  readonly #wakesAt = new Map<string, number>();
  /** The platform has asked for a long patience, and nothing was delivered since. */
  #isHeldUp = false;
  #sending = 0;
  /** Those that wait for one of `channelDeliveriesMax` to be through. */
  readonly #turns: (() => void)[] = [];

  constructor(world: World, options: DeliveriesOptions) {
    this.#world = world;
    this.#options = options;
    this.#made = new Recent(world.clock, { max: world.limits.channelDeliveredMax });
    this.definition = defineTask(deliveryTypeOf(options.name), { input: Delivery });
  }

  /** Whether the platform has asked for so much patience that it cannot go out by then, on the clock. */
  isKept(key: string, by: number): boolean {
    return (this.#wakesAt.get(key) ?? by) > by;
  }

  /** Whether none is under way that could go out by then. */
  isIdle(by: number): boolean {
    return [...this.#underWay.keys()].every((key) => this.isKept(key, by));
  }

  /** Makes one attempt. `platform` is the one that is open now. */
  async run({ input, taskId, signal }: Call<Delivery>, platform: OpenPlatform): Promise<{ delivered: true }> {
    const { counters } = this.#options;
    if (this.#made.has(taskId)) {
      counters.deduplicated += 1;
      return { delivered: true };
    }
    let sending = this.#underWay.get(taskId);
    if (sending === undefined) {
      sending = this.#send(input, taskId, platform, signal).finally(() => {
        this.#underWay.delete(taskId);
        this.#options.changes.tell();
      });
      this.#underWay.set(taskId, sending);
    }
    await sending;
    return { delivered: true };
  }

  async #send(input: Delivery, key: string, platform: OpenPlatform, signal: AbortSignal): Promise<void> {
    const { counters, name } = this.#options;
    const { log, limits } = this.#world;
    const message = 'of' in input ? await this.#replyTo(input.to, input.of, key, signal) : { key, ...input };
    let leftMs = limits.channelRetryAfterMsMax;
    for (let waits = 0; ; waits += 1) {
      try {
        await this.#inTurn(() => this.#try(message, platform, signal));
        break;
      } catch (error) {
        counters.failed += 1;
        const failure = asDeliveryError(error);
        const { code, message: why, retryAfterMs = 0, retryable } = failure;
        const waitMs = Math.min(retryAfterMs, leftMs);
        const asked = failure.retryAfterMs === undefined ? {} : { retryAfterMs, waitMs };
        log.warn('delivery.failed', { channel: name, taskId: key, code, message: why, ...asked });
        if (!retryable || waitMs <= 0 || waits >= WAITS_MAX) throw failure;
        leftMs -= waitMs;
        if (waitMs >= LONG_WAIT_MS && !this.#isHeldUp) {
          this.#isHeldUp = true;
          log.error('delivery.held-up', { channel: name, waitMs, message: why });
        }
        this.#wakesAt.set(key, this.#world.clock.now() + waitMs);
        this.#options.changes.tell();
        await this.#wait(waitMs, signal).finally(() => this.#wakesAt.delete(key));
      }
    }
    this.#made.add(key);
    this.#isHeldUp = false;
    counters.delivered += 1;
    log.info('delivery.made', { channel: name, taskId: key });
  }

  /** Sends once. A platform that does not come back is told to leave it; what it says then counts. */
  #try(message: OutboundMessage, platform: OpenPlatform, signal: AbortSignal): Promise<void> {
    const { channelDeliveryMs } = this.#world.limits;
    const late = new AbortController();
    const why = `the platform has not taken it within ${channelDeliveryMs} ms`;
    const deadline = this.#world.deadlines.set(channelDeliveryMs, () =>
      late.abort(new PincerError('DELIVERY_FAILED', why)),
    );
    return underEither([signal, late.signal], async (either) => {
      either.throwIfAborted();
      await platform.deliver(message, either);
    }).finally(() => deadline.clear());
  }

  /** One that waits because it was asked to is in no turn: the others go on. */
  async #inTurn(send: () => Promise<void>): Promise<void> {
    const { channelDeliveriesMax } = this.#world.limits;
    if (this.#sending >= channelDeliveriesMax) await new Promise<void>((resolve) => this.#turns.push(resolve));
    else this.#sending += 1;
    try {
      await send();
    } finally {
      // Handed on: nobody gets in between.
      const next = this.#turns.shift();
      if (next === undefined) this.#sending -= 1;
      else next();
    }
  }

  /** The message that says how a task ended, once it has. */
  async #replyTo(to: unknown, taskId: string, key: string, signal: AbortSignal): Promise<OutboundMessage> {
    const settled = await unlessAborted(this.#options.gateway.follow(taskId).outcome(), signal);
    const { status, result, error } = settled;
    if (isForgotten(settled)) {
      throw new PincerError('TASK_UNKNOWN', `the task ${taskId} that it replies to has been forgotten`);
    }
    return {
      key,
      to,
      text: this.#options.replyText(settled),
      reply: {
        taskId,
        status,
        ...(result === undefined ? {} : { result }),
        ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
      },
    };
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const deadline = this.#world.deadlines.set(ms, () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
      const onAbort = (): void => {
        deadline.clear();
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
    });
  }
}

/** What a promise comes to, or why that is not waited for any more: a task may run for as long as it likes. */
function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function asDeliveryError(error: unknown): PincerError {
  if (error instanceof PincerError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new PincerError('DELIVERY_FAILED', message.slice(0, 500), { cause: error });
}
