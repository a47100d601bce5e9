/**
 * A gateway: composes the store, sessions, nodes, tasks and the scheduler, and runs the gateway chart. Read it top to
 * bottom; the decisions are in src/machines.
 */
import { type GatewayCommand, gatewayMachine } from '../../machines/gateway.ts';
import { PincerError, toFailure } from '../../protocol/failure.ts';
import { Identifier } from '../../protocol/identifier.ts';
import { checkOptions, checkPort } from '../../protocol/options.ts';
import type { Answer } from '../../protocol/query.ts';
import { unexpected } from '../../protocol/unexpected.ts';
import type { Dial, Link, Listener } from '../../transport/link.ts';
import { createMemoryNetwork } from '../../transport/memory.ts';
import { createPostCounters } from '../../transport/post.ts';
import { inspect } from '../charts/inspection.ts';
import { startActor } from '../charts/start-actor.ts';
import { type Client, createClient } from '../client/client.ts';
import { Gate } from '../gate.ts';
import { createMemoryStore } from '../store/memory/memory-store.ts';
import type { Deadline } from '../world/deadlines.ts';
import { realPorts } from '../world/real-ports.ts';
import { turnClock } from '../world/turn-clock.ts';
import { createWorld, worldOptionsOf } from '../world/world.ts';
import { Cluster } from './cluster/cluster.ts';
import { Lease } from './cluster/lease.ts';
import { Dispatch } from './dispatch/dispatch.ts';
import { strategiesOf } from './dispatch/strategies.ts';
import { GATEWAY_OPTIONS, type Gateway, type GatewayOptions } from './gateway-options.ts';
import { Handover } from './handover.ts';
import { Inbox } from './inbox.ts';
import { listensOf } from './listen.ts';
import { Granting } from './nodes/granting.ts';
import { Nodes } from './nodes/nodes.ts';
import { Holdings } from './orders/holdings.ts';
import { Schedules } from './orders/schedules.ts';
import { Presence } from './presence.ts';
import { ownStats } from './questions/own-stats.ts';
import { answer } from './questions/questions.ts';
import { Sessions } from './sessions/sessions.ts';
import { Switchboard } from './switchboard.ts';
import { forgetSettled } from './tasks/forgetting.ts';
import { Intake } from './tasks/intake.ts';
import { Ownership } from './tasks/ownership.ts';
import { Reconciliation } from './tasks/reconciliation.ts';
import { Tasks } from './tasks/tasks.ts';
import { Verdicts } from './tasks/verdicts.ts';
import { Watchers } from './tasks/watchers.ts';

/**
 * Starts a gateway and resolves when it serves.
 * @throws PincerError `BIND_REFUSED` for an open bind without a token of 16 characters, `OPTION_INVALID`, `STORE_UNAVAILABLE`.
 */
export async function createGateway(options: GatewayOptions = {}): Promise<Gateway> {
  checkOptions(options, 'createGateway', 'options, or nothing', GATEWAY_OPTIONS);
  if (options.store !== undefined)
    checkPort(options.store, 'createGateway: store', ['open', 'submit', 'claim', 'close']);
  const real = realPorts();
  const world = createWorld(options, { ...real, clock: turnClock(real.clock) });
  const { clock, limits, log, deadlines, ids } = world;
  const id = options.id ?? `gw-${ids().slice(0, 8)}`;
  if (!Identifier.safeParse(id).success) throw new PincerError('OPTION_INVALID', `gateway id '${id}' is not an id`);
  const strategy = strategiesOf(options, log);
  const granting = new Granting(options);
  const listens = listensOf(options, world);
  const store = options.store ?? createMemoryStore({ clock, ids, limits });
  const inside = createMemoryNetwork({ clock, random: world.random });
  const counters = createPostCounters();
  const startedAt = clock.now();
  const listeners: Listener[] = [];
  const clients = new Set<Client>();
  const releases: (() => void)[] = [];
  let drainDeadline: Deadline | null = null;
  let failure: unknown = null;
  const [serving, ended] = [new Gate(), new Gate()];
  const stopped = ended.passed;

  const root = startActor(gatewayMachine, {
    ...{ charts: world.charts, id: 'gateway' },
    // The parts below are made before any command is carried out: commands wait for this turn’s end.
    onCommand: (command) => queueMicrotask(() => run(command)),
    onError: (error) => log.error('gateway.crashed', { error: String(error) }),
  });
  const watchers = new Watchers(limits);
  const lease: Lease = new Lease(world, {
    store,
    name: id,
    owner: {
      async onRenewed() {
        tasks.dropAll();
        await cluster.reopen();
        await reconciliation.adoptAll(nodes.all());
        dispatch.roomChanged();
      },
      onHeldAgain: () => dispatch.roomChanged(),
      onStoreFailed: storeFailed,
    },
  });
  const nodes: Nodes = new Nodes(world, {
    parent: root,
    owner: {
      onChanged: () => dispatch.roomChanged(),
      onLost: (node, reason) => presence.lose(node, reason),
    },
  });
  const tasks: Tasks = new Tasks(world, {
    parent: root,
    store,
    gatewayId: () => lease.id,
    owner: {
      assign: (nodeId, { attempt, record, payload, timeoutMs }) => {
        const { taskId, type, priority } = record;
        nodes
          .get(nodeId)
          ?.session?.send('task_assign', { taskId, attempt, type, payload, priority, timeout: timeoutMs });
      },
      withdraw: (nodeId, ref, reason) => nodes.get(nodeId)?.session?.send('task_cancel', { ...ref, reason }),
      onUnanswered: (nodeId, taskId) => {
        const message = `it did not answer an assignment within ${limits.assignMs} ms`;
        nodes.get(nodeId)?.breaker.fault(new PincerError('UNDELIVERED', message).toFailure(), [taskId]);
      },
      onOverdue: (nodeId, ref) => {
        const node = nodes.get(nodeId);
        if (node !== undefined) nodes.markOverdue(node, ref);
      },
      onEnded: (taskId) => {
        intake.tellSettled([taskId]);
        cluster.relay.settled(taskId, tasks.recordOf(taskId)?.origin ?? null);
      },
      onSettled: (outcome, { origin }) => {
        intake.settled(outcome);
        cluster.relay.settled(outcome.taskId, origin);
      },
      onStoreFailed: storeFailed,
    },
  });
  const dispatch: Dispatch = new Dispatch(world, {
    parent: root,
    store,
    nodes,
    strategy,
    gatewayId: () => lease.id,
    owner: {
      place: (claimed, nodeId) => tasks.place(claimed, nodeId),
      onPlaced: () => tasks.flush(),
      mayClaim: () => lease.isHeld,
      onFenced: () => void lease.rejoin().catch(storeFailed),
      onStoreFailed: storeFailed,
    },
  });
  const isServing = (): boolean => root.getSnapshot().value === 'serving';
  const schedules = new Schedules(world, {
    store,
    isServing,
    isRefused: (type) => cluster.orders.standing.isRefused(type),
    onStoreFailed: storeFailed,
  });
  const verdicts = new Verdicts({ store, limits, counts: tasks.dropped });
  const reconciliation = new Reconciliation({
    store,
    verdicts,
    rejoin: () => lease.rejoin(),
    tasks,
    gatewayId: () => lease.id,
    onMissed: (nodeId, failure, taskIds) => nodes.get(nodeId)?.breaker.fault(failure, taskIds),
  });
  const questions = {
    store,
    nodes,
    absent: () => granting.absent((nodeId) => nodes.get(nodeId) !== undefined),
    tasks,
    schedules,
    limits,
    clock,
    others: () => cluster.directory.others(),
    schedulerStatus: () => dispatch.status,
    isPaused: (type: string) => dispatch.isPaused(type),
    stats: () =>
      ownStats({
        ...{ gatewayId: id, status: root.getSnapshot().value as string, upMs: clock.now() - startedAt },
        ...{ posts: counters, dispatch, cluster, sessions, tasks },
      }),
  };
  const ownership = new Ownership(world, {
    store,
    gatewayId: () => lease.id,
    held: () => tasks.refs(),
    isKnown: (ref) => tasks.holds(ref),
    claims: () => dispatch.claims,
    onCancelled: ({ taskId }) => {
      // Once: what has been told to stop is in its grace.
      if (tasks.status(taskId) !== 'cancelling') tasks.tell(taskId, { type: 'task.cancel' });
    },
    onTaken: ({ taskId }) => tasks.tell(taskId, { type: 'task.superseded' }),
    onStoreFailed: storeFailed,
  });
  const intake = new Intake(world, {
    store,
    watchers,
    gatewayId: () => lease.id,
    onWaiting: (record) => cluster.relay.want(record),
    onStoreFailed: storeFailed,
    isServing,
    isRefused: (type) => cluster.orders.standing.isRefused(type),
  });
  const switchboard: Switchboard = new Switchboard(world, { nodes, elsewhere: () => cluster.exchange });
  const cluster: Cluster = new Cluster(world, {
    ...{ store, nodes, tasks, watchers, dispatch, peers: switchboard },
    sessions: () => sessions,
    gatewayId: () => lease.id,
    tellIfSettled: (taskId) => intake.tellIfSettled(taskId),
    onStoreFailed: storeFailed,
  });
  const presence = new Presence(world, {
    nodes,
    tasks,
    dispatch,
    reconciliation,
    watchers,
    switchboard,
    cluster,
    inbox: () => inbox,
    granting,
  });
  const sessions = new Sessions(world, { parent: root, gatewayId: id, counters, owner: presence });
  const handover = new Handover(world, {
    ...{ store, tasks, sessions, bus: cluster.bus },
    gatewayId: () => lease.id,
  });
  const inbox: Inbox = new Inbox(world, {
    ...{ store, intake, switchboard, tasks, nodes, dispatch, watchers, questions, granting, verdicts },
    relay: cluster.relay,
    rejoining: () => lease.rejoining,
    orders: { world, store, schedules, ...cluster.orders, holdings: new Holdings(store, limits) },
    onLeft: (session, reason) => {
      presence.leave(session, reason);
      sessions.tell(session, { type: 'peer.left' });
    },
  });

  function run(command: GatewayCommand): void {
    switch (command.type) {
      case 'store.open':
        store.open().then(() => root.send({ type: 'store.opened' }), storeRefused);
        break;
      case 'work.recover':
        recover().then(() => root.send({ type: 'work.recovered' }), storeRefused);
        break;
      case 'gateway.listen':
        listenAtAll().then(serving.open, (error: unknown) => {
          failure = error;
          root.send({ type: 'gateway.stop' });
        });
        break;
      case 'drain.start':
        dispatch.drain();
        drainDeadline = deadlines.set(limits.drainMs, () => root.send({ type: 'deadline.passed' }));
        handover.start().then(() => root.send({ type: 'attempts.ended' }), storeFailed);
        break;
      case 'gateway.shut':
        void shut();
        break;
      default:
        unexpected(command);
    }
  }

  async function listenAtAll(): Promise<void> {
    for (const listen of [...listens, inside.listen('gateway')]) {
      listeners.push(await listen((link: Link) => sessions.open(link)));
    }
  }

  async function recover(): Promise<void> {
    await lease.join();
    await cluster.open();
    ownership.watch();
    forgetSettled(world, { store, onStoreFailed: storeFailed });
    releases.push(schedules.watch());
    releases.push(store.onReady((queues) => dispatch.hear(queues)));
    releases.push(store.onSettled((taskIds) => intake.tellSettled(taskIds)));
    const { ready } = await store.stats();
    dispatch.hear([...ready.keys()]);
  }

  function storeFailed(error: unknown): void {
    log.error('store.failed', { error: toFailure(error, 'STORE_UNAVAILABLE').message });
  }

  function storeRefused(error: unknown): void {
    // Not logged: whoever makes the gateway is told.
    failure = error;
    root.send({ type: 'store.failed' });
  }

  async function shut(): Promise<void> {
    drainDeadline?.clear();
    dispatch.stop();
    // What was reported in this turn goes into the store ahead of the gateway’s leave.
    tasks.flush();
    for (const client of [...clients]) await client.stop();
    // Before the sessions go: a gateway that stops is no crash of its nodes, and costs their tasks nothing.
    tasks.dropAll();
    await sessions.stop();
    for (const release of releases.splice(0)) release();
    cluster.close();
    await Promise.allSettled(listeners.map((listener) => listener.close()));
    deadlines.stop();
    await lease.leave().catch(storeFailed);
    await store.close().catch(storeFailed);
    serving.open();
    ended.open();
  }

  function end(type: 'gateway.drain' | 'gateway.stop'): Promise<void> {
    root.send({ type });
    return stopped;
  }

  await serving.passed;
  if (failure !== null) {
    await stopped;
    throw failure instanceof PincerError
      ? failure
      : new PincerError('STORE_UNAVAILABLE', String(failure), { cause: failure });
  }
  const dial: Dial = inside.dial('gateway');
  return {
    id,
    url: listeners.find((listener) => listener.url.startsWith('ws'))?.url ?? '',
    get status() {
      return root.getSnapshot().value as string;
    },
    stopped,
    dial,
    client() {
      const client = createClient({ charts: world.charts, ...worldOptionsOf(options), dial });
      clients.add(client);
      void client.stopped.then(() => clients.delete(client));
      return client;
    },
    expect(expected) {
      granting.expect(expected);
      for (const session of presence.grantAgain()) sessions.tell(session, { type: 'session.evict' });
    },
    inspect: (inspector) => inspect(root, inspector, world),
    stats: async () => (await answer({ what: 'stats' }, questions)) as Answer<'stats'>,
    drain: () => end('gateway.drain'),
    stop: () => end('gateway.stop'),
    [Symbol.asyncDispose]: () => end('gateway.stop'),
  };
}
