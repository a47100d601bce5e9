/**
 * A node: joins a gateway, takes attempts into its slots, reports. Composes the connection, the attempts and the load
 * meter, and runs the node-life chart.
 */
import { type NodeLifeCommand, nodeLifeMachine } from '../../machines/node-life.ts';
import { spreadMs } from '../../machines/policies/retry.ts';
import { PincerError } from '../../protocol/failure.ts';
import { checkOptions } from '../../protocol/options.ts';
import { unexpected } from '../../protocol/unexpected.ts';
import { inspect } from '../charts/inspection.ts';
import { startActor } from '../charts/start-actor.ts';
import { Calls } from '../client/calls.ts';
import { type Connection, connect } from '../peer/connection.ts';
import { dialsOf } from '../peer/dials.ts';
import { Messenger } from '../peer/messenger.ts';
import type { Deadline } from '../world/deadlines.ts';
import { realPorts } from '../world/real-ports.ts';
import { createWorld } from '../world/world.ts';
import { Attempts } from './attempts.ts';
import { createLoadMeter, NodeLoad } from './load.ts';
import { checkHandler, claimOf, handlersOf } from './node-claim.ts';
import { NODE_OPTIONS, type Node, type NodeOptions } from './node-options.ts';
import { memoryOutbox } from './outbox.ts';
import type { InlineRegistration } from './runner.ts';

/**
 * Starts a node and resolves with its first welcome; it keeps trying until then, and after every loss of its gateway.
 * @throws PincerError `OPTION_INVALID`, or what the gateway refuses it with: `UNAUTHENTICATED`, `PROTOCOL_VERSION` …
 */
export async function createNode(options: NodeOptions): Promise<Node> {
  checkOptions(options, 'createNode', 'join, the gateway to join', NODE_OPTIONS);
  const world = createWorld(options, realPorts());
  const { ids, limits, deadlines, departures, random, clock, log } = world;
  const { type = 'agent', capabilities = [], maxTasks = limits.maxTasks, labels, resources } = options;
  const id = options.id ?? `node-${ids().slice(0, 8)}`;
  check(
    options.outbox === undefined || options.id !== undefined,
    'an outbox needs an id: who comes after is known by it',
  );
  const { signal } = options;
  check(signal === undefined || typeof signal?.addEventListener === 'function', 'signal must be an AbortSignal');
  const handlers = handlersOf(options.handlers ?? []);
  const claim = claimOf(
    { nodeId: id, nodeType: type, incarnation: ids(), capabilities, maxTasks, labels, resources },
    handlers,
    limits,
  );
  const dials = dialsOf(options.join, options.token, world);
  const outbox = options.outbox ?? memoryOutbox();
  const givenLoad = options.load === undefined ? null : new NodeLoad(options.load, log);
  const left = await outbox.open({ clock, log, limits, onRefusal: () => heartbeat() });
  const nodeLoad = givenLoad ?? new NodeLoad(createLoadMeter(), log);
  let announced: 'healthy' | 'busy' | 'offline' = 'healthy';
  let beat: Deadline | null = null;
  let drainDeadline: Deadline | null = null;
  let refusal: PincerError | null = null;
  let isStopping = false;
  let resolveWelcomed: () => void = () => {};
  const welcomed = new Promise<void>((resolve) => {
    resolveWelcomed = resolve;
  });
  let resolveStopped: (reason: PincerError | null) => void = () => {};
  const stopped = new Promise<PincerError | null>((resolve) => {
    resolveStopped = resolve;
  });

  const life = startActor(nodeLifeMachine, {
    charts: world.charts,
    id: 'node',
    onCommand: run,
    onError: (error) => log.error('node.crashed', { error: String(error) }),
  });
  /** What the chart knows of the slots. It is told when the turn ends: what a turn takes and gives back is not its affair. */
  const slotsTold = {
    isFull: false,
    isDue: false,
    depart() {
      slotsTold.isDue = false;
      const isFull = attempts.running >= maxTasks;
      if (isFull === slotsTold.isFull) return;
      slotsTold.isFull = isFull;
      life.send({ type: isFull ? 'slots.filled' : 'slots.freed' });
    },
  };
  const attempts: Attempts = new Attempts(world, {
    parent: life,
    connection: () => connection,
    handlers,
    maxTasks: () => maxTasks,
    isDraining: () => isStopping || isDraining(),
    outbox,
    onSlots: () => {
      if (!slotsTold.isDue && attempts.running >= maxTasks !== slotsTold.isFull) {
        slotsTold.isDue = true;
        departures.add(slotsTold);
      }
      if (attempts.size === 0 && isDraining()) life.send({ type: 'attempts.ended' });
    },
  });
  attempts.takeOver(left);
  const calls = new Calls(world, () => connection);
  const messenger = new Messenger(world, { requests: calls.requests });
  const connection: Connection = connect(world, {
    dials,
    parent: life,
    owner: {
      register: () => ({
        ...claim,
        maxTasks: slots(),
        taskTypes: taskTypes(),
        running: attempts.refs(),
        load: { ...nodeLoad.sample(), tasks: attempts.running },
      }),
      onUp: (welcome) => {
        attempts.drop(welcome.drop);
        if (!welcome.resumed) {
          attempts.sayAgain();
          calls.sayAgain();
          messenger.subscribeAgain();
        }
        life.send({ type: 'link.connected' });
        resolveWelcomed();
        startBeat(welcome.policy.heartbeatMs);
      },
      onDown: () => {
        beat?.clear();
        life.send({ type: 'link.lost' });
      },
      onMessage: (message, done) => {
        if (message.type === 'direct' || message.type === 'broadcast')
          return messenger.take(message, () => done(message));
        if (calls.take(message)) return done(message);
        switch (message.type) {
          case 'task_assign':
            attempts.assign(message.payload);
            break;
          case 'task_cancel':
            attempts.cancel(message.payload);
            break;
          case 'drain':
            life.send({ type: 'node.drain' });
            break;
          default:
            log.warn('message.unexpected', { type: message.type });
        }
        done(message);
      },
      onRefused: (error) => {
        refusal = error;
        life.send({ type: 'link.refused' });
      },
    },
  });

  function run(command: NodeLifeCommand): void {
    switch (command.type) {
      case 'node.announce':
        announced = command.status;
        // The gateway counts slots itself; only that a node leaves must not wait for the next heartbeat.
        if (announced === 'offline') heartbeat();
        break;
      case 'drain.start':
        drainDeadline = deadlines.set(limits.drainMs, () => life.send({ type: 'deadline.passed' }));
        if (attempts.size === 0) queueMicrotask(() => life.send({ type: 'attempts.ended' }));
        break;
      case 'attempts.hand-back':
        log.warn('drain.expired', { running: attempts.running });
        break;
      case 'node.leave':
        // Not within the command: the last reports go first.
        queueMicrotask(() => void leave());
        break;
      default:
        unexpected(command);
    }
  }

  async function leave(): Promise<void> {
    if (isStopping) return;
    isStopping = true;
    beat?.clear();
    drainDeadline?.clear();
    attempts.stopAll();
    const isolatesEnded = attempts.stopIsolates();
    const reason = refusal === null ? 'stopped' : refusal.code;
    // To a gateway that does not drain, one would wait behind all that waits for it; the other waits for nothing.
    if (connection.isFull) connection.send('goodbye', { code: 'STOPPED', message: reason });
    else if (connection.isUp) connection.send('unregister', { reason });
    await connection.stop();
    const stopped = new PincerError('STOPPED', 'the node was stopped');
    calls.fail(stopped);
    messenger.fail(stopped);
    deadlines.stop();
    await isolatesEnded;
    await letGo('load.unstopped', () => nodeLoad.stop());
    await letGo('outbox.unclosed', () => outbox.close());
    resolveStopped(refusal);
    resolveWelcomed();
  }

  /** Of what the application has given: whatever that does, the node has stopped, and who waits for it is told so. */
  async function letGo(event: string, end: () => void | Promise<void>): Promise<void> {
    try {
      await end();
    } catch (error) {
      log.error(event, { error: String(error) });
    }
  }

  function startBeat(everyMs: number): void {
    beat?.clear();
    beat = deadlines.set(spreadMs(everyMs, random()), () => {
      heartbeat();
      startBeat(everyMs);
    });
  }

  function heartbeat(): void {
    if (!connection.isUp) return;
    connection.send(
      'heartbeat',
      {
        nodeId: id,
        // What the chart was told may be a turn old: a gateway takes one that is busy beside free slots at its word.
        status: announced === 'busy' && attempts.running < maxTasks ? 'healthy' : announced,
        load: { ...nodeLoad.sample(), tasks: attempts.running },
        capabilities: claim.capabilities,
        maxTasks: slots(),
        taskTypes: taskTypes(),
      },
      { timestamp: Math.round(clock.wallTime()) },
    );
  }

  function isDraining(): boolean {
    return life.getSnapshot().value === 'draining';
  }

  /** None while the outbox takes no more, so that nothing is sent here only to be refused. */
  function slots(): number {
    return outbox.refusal === null ? maxTasks : 0;
  }

  function taskTypes(): string[] {
    return [...handlers.keys()];
  }

  const node: Node = {
    id,
    stopped,
    gateway: calls.api,
    messages: messenger,
    get status() {
      return life.getSnapshot().value as string;
    },
    get running() {
      return attempts.running;
    },
    handle(definition, handler) {
      const registration = { definition, handler: handler as InlineRegistration['handler'] };
      checkHandler(handlers, registration, 'node.handle');
      handlers.set(definition.type, registration);
      heartbeat();
    },
    unhandle(type) {
      if (typeof type !== 'string') {
        throw new PincerError('OPTION_INVALID', 'node.unhandle: the task type must be text, such as definition.type');
      }
      if (handlers.delete(type)) heartbeat();
    },
    inspect: (inspector) => inspect(life, inspector, world),
    async drain() {
      life.send({ type: 'node.drain' });
      await stopped;
    },
    async stop() {
      life.send({ type: 'node.stop' });
      await stopped;
    },
    [Symbol.asyncDispose]: () => node.stop(),
  };
  const abandon = (): void => life.send({ type: 'node.stop' });
  options.signal?.addEventListener('abort', abandon, { once: true });
  if (options.signal?.aborted === true) abandon();
  await welcomed;
  options.signal?.removeEventListener('abort', abandon);
  const refused = refusal as PincerError | null;
  if (refused !== null) throw refused;
  options.signal?.throwIfAborted();
  return node;
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new PincerError('OPTION_INVALID', `createNode: ${what}`);
}
