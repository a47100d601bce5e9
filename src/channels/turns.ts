/**
 * What comes in becomes work: a task under an id that is made of the message’s own, and beside it, waiting for it in the
 * store, the delivery of its reply. Both are stored before the platform may forget the message, so that the reply outlives
 * this process. What is followed here is only for progress, for held answers and for the count.
 */
import { createHash } from 'node:crypto';
import type { GatewayCalls } from '../actors/client/calls.ts';
import type { SettledTask } from '../actors/client/handle.ts';
import type { Messaging } from '../actors/peer/messenger.ts';
import type { World } from '../actors/world/world.ts';
import { PincerError } from '../protocol/failure.ts';
import type { Changes } from './changes.ts';
import type { Route } from './channel-options.ts';
import type { ChannelCounters } from './counters.ts';
import { deliveryTypeOf } from './deliveries.ts';
import type { InboundMessage, ProgressNote } from './platform.ts';
import { Recent } from './recent.ts';
import { OpenTurn, type Turn } from './turn.ts';
import { isForgotten, progressTextOf } from './words.ts';

export interface TurnsOptions {
  readonly name: string;
  readonly route: Route;
  readonly gateway: GatewayCalls;
  readonly messages: Messaging;
  readonly counters: ChannelCounters;
  readonly changes: Changes;
  readonly replyText: Turn['textOf'];
  onProgress(note: ProgressNote): void;
}

/** How often a task that the gateway has lost (its store was in memory) is submitted again. */
const RESUBMITS_MAX = 3;
/** Of what a task has reported, the beginning is shown. */
const PROGRESS_CHARACTERS_MAX = 100_000;

export class Turns {
  readonly #world: World;
  readonly #options: TurnsOptions;
  readonly #open = new Map<string, OpenTurn>();
  /** Tasks of earlier messages that somebody asks for, until they have ended. */
  readonly #followed = new Map<string, Turn>();
  /** Of what was published: its receivers do not know that they have had it. */
  readonly #published: Recent;
  /** By key: what is sent again while that is under way, or after its sender gave up waiting, is not published again. */
  readonly #publishing = new Map<string, Promise<number>>();

  constructor(world: World, options: TurnsOptions) {
    this.#world = world;
    this.#options = options;
    this.#published = new Recent(world.clock, { max: world.limits.channelDeliveredMax });
  }

  /** Messages whose replies are still waited for. */
  get size(): number {
    return this.#open.size;
  }

  /** Whether no reply is waited for but those that are kept, each by the id of its delivery. */
  isIdle(isKept: (deliveryId: string) => boolean): boolean {
    return [...this.#open.keys()].every((taskId) => isKept(replyIdOf(taskId)));
  }

  /** Resolves once the gateway has the message for good; null if it was published, and so nobody answers. */
  async take(message: InboundMessage): Promise<Turn | null> {
    const { route, counters } = this.#options;
    this.#check(message);
    if ('topic' in route) return this.#publish(message, route.topic);
    const taskId = idOf(this.#options.name, message.id);
    let turn = this.#open.get(taskId);
    if (turn === undefined) {
      const { channelTurnsMax } = this.#world.limits;
      if (this.size >= channelTurnsMax) {
        const why = `${channelTurnsMax} messages wait for their replies already`;
        throw new PincerError('RATE_EXCEEDED', why, { retryAfterMs: 1_000 });
      }
      turn = this.#begin(taskId, message, route);
      counters.received += 1;
    } else {
      turn.isNew = false;
      counters.repeated += 1;
    }
    await this.#within(turn.accepted);
    return turn;
  }

  follow(taskId: string): Turn {
    const known = this.#open.get(taskId) ?? this.#followed.get(taskId);
    if (known !== undefined) return known;
    const { channelTurnsMax } = this.#world.limits;
    if (this.#followed.size >= channelTurnsMax) {
      throw new PincerError('RATE_EXCEEDED', `${channelTurnsMax} tasks are followed already`, { retryAfterMs: 1_000 });
    }
    const handle = this.#options.gateway.follow(taskId);
    const outcome = handle.outcome().finally(() => this.#followed.delete(taskId));
    outcome.catch(() => {});
    const { replyText: textOf } = this.#options;
    const turn: Turn = { taskId, isNew: false, outcome: () => outcome, textOf, progress: handle.progress };
    this.#followed.set(taskId, turn);
    return turn;
  }

  #begin(taskId: string, message: InboundMessage, route: Exclude<Route, { topic: string }>): OpenTurn {
    const { name, replyText } = this.#options;
    const turn = new OpenTurn(taskId, replyText);
    const { input = inputOf } = route;
    let payload: unknown;
    try {
      payload = input(message, name);
    } catch (error) {
      throw new PincerError('PAYLOAD_INVALID', `no input can be made of the message: ${String(error)}`, {
        cause: error,
      });
    }
    this.#open.set(taskId, turn);
    turn.accepted = this.#submit(turn, message, payload, route, 0);
    turn.accepted.catch((error: PincerError) => {
      turn.fail(error);
      this.#forget(turn);
    });
    return turn;
  }

  async #submit(
    turn: OpenTurn,
    message: InboundMessage,
    payload: unknown,
    route: Exclude<Route, { topic: string }>,
    resubmits: number,
  ): Promise<void> {
    const { gateway, name } = this.#options;
    const { limits } = this.#world;
    const { type = 'agent-turn', input: _input, ...how } = route;
    const { taskId } = turn;
    const handle = gateway.submit(type, payload, {
      fairKey: message.conversation.slice(0, 128),
      ...how,
      taskId,
      key: keyOf(name, message.id),
    });
    turn.handle = handle;
    // Ahead of whoever else follows the turn: the first reader is told what came before.
    const reports = handle.progress[Symbol.asyncIterator]();
    const { created } = await handle.accepted();
    if (!created && resubmits === 0) turn.isNew = false;
    const to = message.replyTo;
    const delivery =
      to === null
        ? null
        : gateway.submit(
            deliveryTypeOf(name),
            { to, of: taskId },
            {
              taskId: replyIdOf(taskId),
              after: [taskId],
              // However the task ends, its asker is told.
              onDependencyFailure: 'ignore',
              attempts: limits.channelDeliveryAttempts,
              // One attempt, and all the patience that it may be asked for.
              timeoutMs: Math.min(limits.channelDeliveryMs + limits.channelRetryAfterMsMax, limits.taskTimeoutMsMax),
            },
          );
    await delivery?.accepted();
    this.#report(turn, reports, to).catch((error: unknown) => {
      this.#world.log.warn('progress.failed', { channel: name, taskId, error: String(error) });
    });
    const again = (): Promise<void> => this.#submit(turn, message, payload, route, resubmits + 1);
    void this.#end(turn, handle.outcome(), delivery?.outcome() ?? null, resubmits < RESUBMITS_MAX ? again : null);
  }

  async #report(turn: OpenTurn, reports: AsyncIterator<unknown>, to: unknown): Promise<void> {
    let text = '';
    for (let next = await reports.next(); next.done !== true; next = await reports.next()) {
      const longer = progressTextOf(text, next.value, PROGRESS_CHARACTERS_MAX);
      if (longer === text) continue;
      text = longer;
      this.#options.counters.progress += 1;
      if (to !== null) this.#options.onProgress({ taskId: turn.taskId, to, text });
    }
  }

  /** Waits for task and delivery; `again` submits what a gateway has lost. */
  async #end(
    turn: OpenTurn,
    outcome: Promise<SettledTask>,
    delivered: Promise<SettledTask> | null,
    again: (() => Promise<void>) | null,
  ): Promise<void> {
    const { counters, name } = this.#options;
    const { log } = this.#world;
    delivered?.catch(() => {});
    try {
      const settled = await outcome;
      const isLost = (one: SettledTask): boolean => again !== null && isForgotten(one);
      if (isLost(settled)) return await again?.();
      turn.settle(settled);
      const delivery = await delivered;
      if (delivery !== null && isLost(delivery)) return await again?.();
      if (delivery !== null && delivery.status !== 'completed') {
        counters.dead += 1;
        const { code, message } = delivery.error ?? {};
        log.error('delivery.dead', { channel: name, taskId: delivery.taskId, code, message });
      }
    } catch (error) {
      turn.fail(error as PincerError);
    }
    this.#forget(turn);
  }

  async #publish(message: InboundMessage, topic: string): Promise<null> {
    const { messages, name, counters } = this.#options;
    const key = keyOf(name, message.id);
    if (this.#published.has(key)) {
      counters.repeated += 1;
      return null;
    }
    let publishing = this.#publishing.get(key);
    if (publishing === undefined) {
      const body = { channel: name, ...message };
      publishing = messages
        .publish(topic, body, { reliable: true })
        .then((receivers) => {
          if (receivers > 0) {
            this.#published.add(key);
            counters.received += 1;
          }
          return receivers;
        })
        .finally(() => this.#publishing.delete(key));
      this.#publishing.set(key, publishing);
    } else counters.repeated += 1;
    if ((await this.#within(publishing)) === 0) {
      throw new PincerError('NO_RECEIVER', `nobody has subscribed to '${topic}'`, { retryable: true });
    }
    return null;
  }

  #check({ id, conversation, sender, replyTo }: InboundMessage): void {
    const { channelAddressBytesMax } = this.#world.limits;
    const check = (holds: boolean, what: string): void => {
      if (!holds) throw new PincerError('PAYLOAD_INVALID', `the message ${what}`);
    };
    check(id.length >= 1 && id.length <= 512, 'has no id of 1 to 512 characters');
    check(conversation.length >= 1 && conversation.length <= 128, 'has no conversation of 1 to 128 characters');
    check(sender.length <= 128, 'names a sender of over 128 characters');
    const bytes = Buffer.byteLength(JSON.stringify(replyTo) ?? '');
    check(
      bytes <= channelAddressBytesMax,
      `has a reply address of ${bytes} bytes, more than ${channelAddressBytesMax}`,
    );
  }

  #within<Value>(promise: Promise<Value>): Promise<Value> {
    const { channelAcceptMs } = this.#world.limits;
    return new Promise((resolve, reject) => {
      const deadline = this.#world.deadlines.set(channelAcceptMs, () =>
        reject(new PincerError('GATEWAY_UNREACHABLE', `the gateway has not answered within ${channelAcceptMs} ms`)),
      );
      promise.then(resolve, reject).finally(() => deadline.clear());
    });
  }

  #forget(turn: OpenTurn): void {
    if (this.#open.get(turn.taskId) === turn) this.#open.delete(turn.taskId);
    this.#options.changes.tell();
  }
}

/** The task that a message of a channel is: the same for every instance and after every restart. */
function idOf(name: string, messageId: string): string {
  return `in-${createHash('sha256').update(`${name}\n${messageId}`).digest('base64url')}`;
}

function replyIdOf(taskId: string): string {
  return `${taskId}-reply`;
}

/** Its key, for people; one that would be too long keeps its beginning, and its hash. */
function keyOf(name: string, messageId: string): string {
  const key = `${name}:${messageId}`;
  return key.length <= 128 ? key : `${key.slice(0, 80)}…${idOf(name, messageId).slice(3, 46)}`;
}

/** What the handler of a message gets, where the route does not say otherwise. */
function inputOf({ id, conversation, sender, text, data }: InboundMessage, channel: string): unknown {
  return { channel, messageId: id, conversation, sender, text, ...(data === undefined ? {} : { data }) };
}
