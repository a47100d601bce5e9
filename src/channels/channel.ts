/**
 * One instance of a channel: a node that holds the lease of its platform or waits for it, makes tasks of what comes in,
 * and delivers what goes out. Runs the channel chart.
 */

import { startActor } from '../actors/charts/start-actor.ts';
import { createNode } from '../actors/node/node.ts';
import type { Node } from '../actors/node/node-options.ts';
import type { Deadline } from '../actors/world/deadlines.ts';
import { realPorts } from '../actors/world/real-ports.ts';
import { createWorld, worldOptionsOf } from '../actors/world/world.ts';
import { type ChannelCommand, channelMachine } from '../machines/channel.ts';
import { backoffMs } from '../machines/policies/retry.ts';
import { PincerError } from '../protocol/failure.ts';
import { Identifier } from '../protocol/identifier.ts';
import { checkOptions, checkPort } from '../protocol/options.ts';
import { unexpected } from '../protocol/unexpected.ts';
import { underEither } from '../transport/either-signal.ts';
import { Changes } from './changes.ts';
import { CHANNEL_OPTIONS, type Channel, type ChannelOptions, checkRoute } from './channel-options.ts';
import { createCounters } from './counters.ts';
import { Deliveries } from './deliveries.ts';
import { Hold } from './hold.ts';
import type { Inlet, OpenPlatform } from './platform.ts';
import { Turns } from './turns.ts';
import { replyTextOf } from './words.ts';

/** A platform from the moment it is asked to open. */
interface Run {
  readonly abort: AbortController;
  platform: OpenPlatform | null;
}

/**
 * Starts an instance of a channel and resolves once it is open, or stands by for the one that is.
 * @throws PincerError `OPTION_INVALID`, what the gateway refuses it with, or what the platform does for good.
 */
export async function createChannel(options: ChannelOptions): Promise<Channel> {
  checkOptions(options, 'createChannel', 'join and platform', CHANNEL_OPTIONS);
  const world = createWorld(options, realPorts());
  const { clock, ids, limits, log, random, deadlines } = world;
  const { platform, join, token, signal, route = {}, replyText = replyTextOf } = options;
  checkPort(platform, 'createChannel: platform', ['open']);
  checkRoute(route, limits);
  const { name = platform.name ?? platform.kind, leaseMs = limits.channelLeaseMs } = options;
  check(Identifier.safeParse(name).success, `name '${name}' must be 1–64 of A-Z a-z 0-9 . _ : -`);
  check(
    leaseMs >= 1_000 && leaseMs <= limits.channelLeaseMsMax,
    `leaseMs is ${leaseMs}, must be 1000 to ${limits.channelLeaseMsMax}`,
  );
  await platform.prepare?.();
  const counters = createCounters();
  let current: Run | null = null;
  let closing: Promise<void> = Promise.resolve();
  let wait: Deadline | null = null;
  let failure: PincerError | null = null;
  let isInOrder = false;
  let trouble: PincerError | null = null;
  let settleStart: () => void = () => {};
  const started = new Promise<void>((resolve) => {
    settleStart = resolve;
  });
  let resolveStopped: (reason: PincerError | null) => void = () => {};
  const stopped = new Promise<PincerError | null>((resolve) => {
    resolveStopped = resolve;
  });

  const node: Node = await createNode({
    ...worldOptionsOf(options),
    join,
    id: options.id ?? `${name.slice(0, 50)}-${ids().slice(0, 8)}`,
    type: 'channel',
    capabilities: [],
    maxTasks: limits.channelDeliveriesHeldMax,
    ...(token === undefined ? {} : { token }),
    ...(signal === undefined ? {} : { signal }),
  });
  const { gateway } = node;
  const changes = new Changes();
  const deliveries = new Deliveries(world, { name, gateway, counters, changes, replyText });
  const turns = new Turns(world, {
    name,
    route,
    replyText,
    gateway,
    messages: node.messages,
    counters,
    changes,
    onProgress: (note) => current?.platform?.progress?.(note),
  });
  const actor = startActor(channelMachine, {
    charts: world.charts,
    id: 'channel',
    // Commands wait for this turn’s end: the parts below are made by then.
    onCommand: (command) => queueMicrotask(() => run(command)),
    onError: (error) => log.error('channel.crashed', { error: String(error) }),
  });
  const state = (): string => actor.getSnapshot().value as string;
  let lastState = state();
  actor.subscribe(() => {
    if (state() === lastState) return;
    log.info('channel.changed', { channel: name, from: lastState, to: state() });
    lastState = state();
    if (lastState !== 'opening') settleStart();
    if (lastState === 'open') trouble = null;
    try {
      options.onState?.(lastState);
    } catch (error) {
      log.error('channel.onState-threw', { channel: name, error: String(error) });
    }
  });
  const hold = new Hold(world, {
    gateway,
    key: name,
    ttlMs: leaseMs,
    onHeld: () => actor.send({ type: 'lease.held' }),
    onLost: () => actor.send({ type: 'lease.lost' }),
    onAnswered: () => {
      if (state() === 'standby') settleStart();
    },
    onRefused: (error) => end(error),
  });
  // A node that was evicted or superseded has no channel any more.
  void node.stopped.then((refusal) => end(refusal));

  function run(command: ChannelCommand): void {
    switch (command.type) {
      case 'platform.open':
        void open();
        break;
      case 'platform.close':
        close();
        break;
      case 'backoff.start': {
        const backoff = { baseMs: limits.channelReopenMinMs, maxMs: limits.channelReopenMaxMs };
        // A platform that says when to come back is not asked before, as far as that is bearable.
        const askedMs = Math.min(trouble?.retryAfterMs ?? 0, limits.channelRetryAfterMsMax);
        wake(Math.max(backoffMs(command.failures, backoff, random()), askedMs));
        break;
      }
      case 'drain.start':
        wake(limits.drainMs);
        drained(clock.now() + limits.drainMs)
          .catch((error: unknown) => log.warn('drain.failed', { channel: name, error: String(error) }))
          .finally(() => actor.send({ type: 'work.ended' }));
        break;
      case 'channel.leave':
        void leave();
        break;
      default:
        unexpected(command);
    }
  }

  function wake(delayMs: number): void {
    wait?.clear();
    wait = deadlines.set(delayMs, () => actor.send({ type: 'deadline.passed' }));
  }

  async function open(): Promise<void> {
    wait?.clear();
    const mine: Run = { abort: new AbortController(), platform: null };
    current = mine;
    const late = deadlines.set(limits.channelOpenMs, () =>
      failed(mine, new PincerError('TIMED_OUT', `'${name}' did not open within ${limits.channelOpenMs} ms`)),
    );
    try {
      // The port, the poll, the socket of before are gone first.
      await closing;
      mine.abort.signal.throwIfAborted();
      const opened = await platform.open(inletOf(mine), { clock, random, ids, log, limits }, mine.abort.signal);
      if (current !== mine) return await opened.close();
      mine.platform = opened;
      node.handle(deliveries.definition, (call) => {
        const { platform: now } = current ?? {};
        if (now === undefined || now === null) throw standby();
        return underEither([call.signal, mine.abort.signal], (signal) => deliveries.run({ ...call, signal }, now));
      });
      actor.send({ type: 'platform.opened' });
    } catch (error) {
      failed(mine, error);
    } finally {
      late.clear();
    }
  }

  function failed(mine: Run, thrown: unknown): void {
    if (current !== mine) return;
    const error =
      thrown instanceof PincerError ? thrown : new PincerError('INTERNAL', String(thrown), { cause: thrown });
    trouble = error;
    log.warn('platform.failed', { channel: name, code: error.code, message: error.message });
    if (error.retryable) actor.send({ type: 'platform.failed' });
    else {
      failure ??= error;
      actor.send({ type: 'platform.refused' });
    }
  }

  function close(): void {
    wait?.clear();
    const last = current;
    current = null;
    if (last === null) return;
    node.unhandle(deliveries.definition.type);
    last.abort.abort(standby());
    const { platform: opened } = last;
    if (opened === null) return;
    const closed = closing.then(() => opened.close());
    closing = new Promise((resolve) => {
      const late = deadlines.set(limits.channelCloseMs, () => done('it did not close in time'));
      const done = (fault: unknown): void => {
        late.clear();
        if (fault !== null) log.warn('platform.unclosed', { channel: name, message: String(fault) });
        resolve();
      };
      closed.then(() => done(null), done);
    });
  }

  function inletOf(mine: Run): Inlet {
    return {
      async take(message) {
        try {
          if (current !== mine || state() === 'draining') throw standby();
          return await turns.take(message);
        } catch (error) {
          counters.refused += 1;
          // Not the message is refused for good: its platform keeps it for the next holder.
          throw error instanceof PincerError && error.code === 'STOPPED' ? standby() : error;
        }
      },
      follow: (taskId) => turns.follow(taskId),
      refused: () => {
        counters.refused += 1;
      },
      failed: (error) => failed(mine, error),
    };
  }

  function standby(): PincerError {
    return new PincerError('CHANNEL_STANDBY', `this instance of the channel '${name}' is ${state()}`);
  }

  /** Resolves when nothing is under way any more that came in, or is to go out and could by then. */
  async function drained(by: number): Promise<void> {
    await current?.platform?.pause();
    await changes.until(() => turns.isIdle((deliveryId) => deliveries.isKept(deliveryId, by)));
    node.unhandle(deliveries.definition.type);
    await changes.until(() => deliveries.isIdle(by));
  }

  /** Stops, for a reason if there is one. */
  function end(reason: PincerError | null): void {
    failure ??= reason;
    actor.send({ type: 'channel.stop' });
  }

  async function leave(): Promise<void> {
    wait?.clear();
    // Only when the platform has been let go of may somebody else have it.
    await closing;
    await hold.free();
    await (isInOrder ? node.drain() : node.stop());
    deadlines.stop();
    resolveStopped(failure);
    settleStart();
  }

  const abandon = (): void => end(null);
  signal?.addEventListener('abort', abandon, { once: true });
  if (signal?.aborted === true) abandon();
  await started;
  signal?.removeEventListener('abort', abandon);
  if (state() === 'stopped') {
    const reason = await stopped;
    if (reason !== null) throw reason;
    signal?.throwIfAborted();
  }
  return {
    name,
    id: node.id,
    stopped,
    counters,
    get state() {
      return state();
    },
    get trouble() {
      return trouble;
    },
    get url() {
      return current?.platform?.url ?? null;
    },
    async drain() {
      isInOrder = true;
      actor.send({ type: 'channel.drain' });
      await stopped;
    },
    async stop() {
      end(null);
      await stopped;
    },
    async [Symbol.asyncDispose]() {
      end(null);
      await stopped;
    },
  };
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new PincerError('OPTION_INVALID', `createChannel: ${what}`);
}
