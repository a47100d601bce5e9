/**
 * A gateway: composes the store, sessions, nodes, tasks and the scheduler, and runs the gateway chart. Read it top to
 * bottom; the decisions are in src/machines.
 */
import { type GatewayCommand, gatewayMachine } from '../../machines/gateway.ts';
import { leastConnections } from '../../machines/policies/placement/least-connections.ts';
import { PincerError, toFailure } from '../../protocol/failure.ts';
import { Identifier } from '../../protocol/identifier.ts';
import type { Payload } from '../../protocol/message.ts';
import type { Answer } from '../../protocol/query.ts';
import type { Dial, Link, Listen, Listener } from '../../transport/link.ts';
import { createMemoryNetwork } from '../../transport/memory.ts';
import { createPostCounters } from '../../transport/post.ts';
import { type Client, createClient } from '../client/client.ts';
import type { Deadline } from '../deadlines.ts';
import { realPorts } from '../real-ports.ts';
import { startActor } from '../start-actor.ts';
import { createMemoryStore } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import { createWorld, type WorldOptions } from '../world.ts';
import { Dispatch } from './dispatch.ts';
import { Inbox } from './inbox.ts';
import { listenAt } from './listen.ts';
import { Nodes } from './nodes.ts';
import { type Session, Sessions } from './sessions.ts';
import { Tasks } from './tasks.ts';
import { Watchers } from './watchers.ts';

export interface GatewayOptions extends WorldOptions {
  /**
   * Where to listen: `host:port`, port 0 for any free one. Default `127.0.0.1:0`. Anything but loopback needs a `token`.
   * Null: only in-process clients and nodes.
   */
  readonly listen?: string | null;
  /** The secret that every node and client must present. Without one, only this machine is let in. */
  readonly token?: string;
  /** The name of this gateway. Default: a fresh id. */
  readonly id?: string;
  /** Where tasks are kept. Default: in memory, gone with the process. */
  readonly store?: Store;
  /** Further ways in, such as an in-memory network in tests. */
  readonly listeners?: readonly Listen[];
}

/** A running gateway. Dispose it (`await using`) or `stop()` it. */
export interface Gateway extends AsyncDisposable {
  readonly id: string;
  /** What nodes and clients dial, `ws://127.0.0.1:7443`; empty if it listens nowhere. */
  readonly url: string;
  /** starting, recovering, serving, draining or stopped. */
  readonly status: string;
  /** Dials this gateway from inside the process: the same protocol over memory. */
  readonly dial: Dial;
  /** A client inside the process. Dispose it, or it goes with the gateway. */
  client(): Client;
  stats(): Promise<Answer<'stats'>>;
  /** Takes no more submits, waits for running attempts (at most `drainMs`), and stops. */
  drain(): Promise<void>;
  /** Stops at once; what runs is handed back to the store. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts a gateway and resolves when it serves.
 * @throws PincerError `BIND_REFUSED` for an open bind without a token, `OPTION_INVALID`, `STORE_UNAVAILABLE`.
 */
export async function createGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const world = createWorld(options, realPorts());
  const { clock, limits, log, deadlines, ids } = world;
  const id = options.id ?? `gw-${ids().slice(0, 8)}`;
  if (!Identifier.safeParse(id).success) throw new PincerError('OPTION_INVALID', `gateway id '${id}' is not an id`);
  const listens = [...(options.listeners ?? [])];
  if (options.listen !== null) listens.push(listenAt(options.listen ?? '127.0.0.1:0', options.token, world));
  const store = options.store ?? createMemoryStore({ clock, ids, limits });
  const inside = createMemoryNetwork({ clock, random: world.random });
  const counters = createPostCounters();
  const startedAt = clock.now();
  const listeners: Listener[] = [];
  const clients = new Set<Client>();
  const releases: (() => void)[] = [];
  let lease = '';
  let drainDeadline: Deadline | null = null;
  let failure: unknown = null;
  let resolveServing: () => void = () => {};
  const serving = new Promise<void>((resolve) => {
    resolveServing = resolve;
  });
  let resolveStopped: () => void = () => {};
  const stopped = new Promise<void>((resolve) => {
    resolveStopped = resolve;
  });

  const root = startActor(gatewayMachine, {
    id: 'gateway',
    // The parts below are made before any command is carried out: commands wait for this turn’s end.
    onCommand: (command) => queueMicrotask(() => run(command)),
    onError: (error) => log.error('gateway.crashed', { error: String(error) }),
  });
  const watchers = new Watchers(limits);
  /** Peers that are leaving in order, and why. */
  const left = new Map<string, string>();
  const sessions: Sessions = new Sessions(world, {
    parent: root,
    gatewayId: id,
    counters,
    owner: {
      onRegister: (session, claim) => welcome(session, claim),
      onAttached: (session, claim) => {
        if (session.kind === 'client') return;
        nodes.attach(session, claim, grant(session, claim.capabilities));
        for (const ref of claim.running) {
          const node = nodes.get(session.peerId);
          if (node !== undefined && tasks.heldBy(session.peerId).some((held) => sameRef(held, ref)))
            nodes.take(node, ref);
        }
        dispatch.roomChanged();
      },
      onDetached: (session) => tellNode(session, { type: 'session.detached' }, 'its link is closed'),
      onResumed: (session) => tellNode(session, { type: 'session.attached' }, null),
      onClosed: (session, code) => {
        watchers.drop(session);
        tellNode(session, { type: 'session.closed' }, left.get(session.peerId) ?? `its session ended: ${code}`);
        left.delete(session.peerId);
        tasks.flush();
      },
      onSilence: (session, event) => {
        const silent = `silent for ${Math.round(clock.now() - (session.lastHeardAt ?? clock.now()))} ms`;
        if (event === 'suspected') tellNode(session, { type: 'silence.suspected' }, silent);
        else if (event === 'broken') tellNode(session, { type: 'silence.broken' }, null);
        else tellNode(session, { type: 'silence.passed' }, silent);
      },
      onMessages: (session, messages) => inbox.take(session, messages),
      onFlow: () => dispatch.roomChanged(),
    },
  });
  const nodes: Nodes = new Nodes(world, {
    parent: root,
    owner: {
      onChanged: () => dispatch.roomChanged(),
      onLost: (node, reason) => {
        if (left.has(node.nodeId)) tasks.handBack(node.nodeId);
        else
          tasks.lose(node.nodeId, new PincerError('NODE_LOST', `node ${node.nodeId} was lost: ${reason}`).toFailure());
        tasks.flush();
      },
    },
  });
  const tasks: Tasks = new Tasks(world, {
    parent: root,
    store,
    gatewayId: () => lease,
    owner: {
      assign: (nodeId, { taskId, attempt, record, payload, timeoutMs }) => {
        const { type, priority } = record;
        nodes
          .get(nodeId)
          ?.session?.send('task_assign', { taskId, attempt, type, payload, priority, timeout: timeoutMs });
      },
      withdraw: (nodeId, ref, reason) => nodes.get(nodeId)?.session?.send('task_cancel', { ...ref, reason }),
      onOverdue: (nodeId, ref) => {
        const node = nodes.get(nodeId);
        if (node !== undefined) nodes.markOverdue(node, ref);
      },
      onSettled: (outcome) => {
        for (const session of watchers.take(outcome.taskId)) session.send('task_settled', outcome);
      },
      onStoreFailed: storeFailed,
    },
  });
  const dispatch: Dispatch = new Dispatch(world, {
    parent: root,
    store,
    nodes,
    strategy: leastConnections,
    gatewayId: () => lease,
    owner: {
      place: (claimed, nodeId) => tasks.place(claimed, nodeId),
      onFenced: () => void rejoin(),
      onStoreFailed: storeFailed,
    },
  });
  const inbox = new Inbox(world, {
    store,
    tasks,
    nodes,
    dispatch,
    watchers,
    questions: { store, nodes, tasks, limits, schedulerStatus: () => dispatch.status, stats: ownStats },
    grant,
    isServing: () => root.getSnapshot().value === 'serving',
    onLeft: (session, reason) => {
      left.set(session.peerId, reason);
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
        Promise.all(
          [...listens, inside.listen('gateway')].map((listen) => listen((link: Link) => sessions.open(link))),
        ).then((opened) => {
          listeners.push(...opened);
          resolveServing();
        }, storeRefused);
        break;
      case 'drain.start':
        dispatch.drain();
        drainDeadline = deadlines.set(limits.drainMs, () => root.send({ type: 'deadline.passed' }));
        void tasks.whenIdle().then(() => root.send({ type: 'attempts.ended' }));
        break;
      case 'gateway.shut':
        void shut();
        break;
      default:
        unexpected(command);
    }
  }

  async function recover(): Promise<void> {
    lease = await store.join(id, limits.leaseMs);
    releases.push(store.onReady((queues) => dispatch.hear(queues)));
    const { ready } = await store.stats();
    dispatch.hear([...ready.keys()]);
    keepLease();
    keepSweeping();
  }

  function keepLease(): void {
    const deadline = deadlines.set(limits.leaseRenewMs, () => {
      store
        .renew(lease, limits.leaseMs)
        .then((isHeld) => (isHeld ? undefined : rejoin()), storeFailed)
        .finally(keepLease);
    });
    void deadline;
  }

  function keepSweeping(): void {
    deadlines.set(limits.sweepMs * (0.9 + 0.2 * world.random()), () => {
      store
        .sweep(lease, limits.listMax)
        .then(() => undefined, storeFailed)
        .finally(keepSweeping);
    });
  }

  /** The claim on this gateway’s tasks has lapsed: a new one is made, and what its nodes still run is adopted. */
  async function rejoin(): Promise<void> {
    log.warn('gateway.fenced', { gateway: id });
    tasks.dropAll();
    lease = await store.join(id, limits.leaseMs);
    for (const node of nodes.all())
      await adopt(
        node.nodeId,
        [...node.slots.values()].map((slot) => slot.ref),
      );
    dispatch.roomChanged();
  }

  /** Reconciles with a node that registers: what it still runs goes on, what it lost is placed again. */
  async function welcome(
    session: Session,
    claim: Payload<'register'>,
  ): Promise<{ capabilities: readonly string[]; drop: Payload<'welcome'>['drop'] }> {
    const capabilities = grant(session, claim.capabilities);
    if (session.kind === 'client') return { capabilities: [], drop: [] };
    if (nodes.get(claim.nodeId) === undefined && nodes.size >= limits.nodesMax) {
      throw new PincerError('RATE_EXCEEDED', `this gateway knows ${limits.nodesMax} nodes already`);
    }
    const held = tasks.heldBy(claim.nodeId);
    const adopted = await adopt(
      claim.nodeId,
      claim.running.filter((ref) => !held.some((mine) => sameRef(mine, ref))),
    );
    const isTheirs = (ref: { taskId: string; attempt: number }): boolean =>
      claim.running.some((theirs) => sameRef(theirs, ref));
    const lost = new PincerError('NODE_LOST', `node ${claim.nodeId} returned without the attempt`).toFailure();
    tasks.lose(claim.nodeId, lost, isTheirs);
    tasks.flush();
    const drop = claim.running.filter(
      (ref) => !held.some((mine) => sameRef(mine, ref)) && !adopted.some((mine) => sameRef(mine, ref)),
    );
    return { capabilities, drop };
  }

  /** Takes over attempts that a node is running. Returns those that are its own to finish. */
  async function adopt(nodeId: string, refs: readonly { taskId: string; attempt: number }[]) {
    if (refs.length === 0) return [];
    const verdicts = (await store.adopt(lease, nodeId, refs)) ?? [];
    const adopted = refs.filter((_, index) => verdicts[index] === true);
    for (const ref of adopted) {
      const record = await store.get(ref.taskId);
      if (record === null) continue;
      // The payload is with the node; only a further attempt needs it, and that comes through a claim.
      tasks.adopt({ record, payload: new Uint8Array(), checkpoint: null, waitedMs: record.queuedMs }, nodeId);
    }
    return adopted;
  }

  /** What a peer may do, of what it claims. Today: what it claims, once it has been let in. */
  function grant(_session: Session, claimed: readonly string[]): readonly string[] {
    return [...new Set(claimed)];
  }

  function tellNode(session: Session, event: Parameters<Nodes['tell']>[1], reason: string | null): void {
    const node = nodes.get(session.peerId);
    if (node === undefined || node.session !== session) return;
    node.reason = reason;
    nodes.tell(node, event);
  }

  function storeFailed(error: unknown): void {
    log.error('store.failed', { error: toFailure(error, 'STORE_UNAVAILABLE').message });
  }

  function storeRefused(error: unknown): void {
    failure = error;
    storeFailed(error);
    root.send({ type: 'store.failed' });
  }

  function ownStats(): Omit<Answer<'stats'>, 'tasks' | 'nodes'> {
    return {
      gatewayId: id,
      status: root.getSnapshot().value as string,
      scheduler: dispatch.status,
      upMs: clock.now() - startedAt,
      counters: {
        ...counters,
        sessions: sessions.size,
        liveTasks: tasks.size,
        resultsLate: tasks.dropped.late,
        resultsForeign: tasks.dropped.foreign,
        ...Object.fromEntries([...sessions.faults].map(([code, count]) => [`fault.${code}`, count])),
      },
    };
  }

  async function shut(): Promise<void> {
    drainDeadline?.clear();
    dispatch.stop();
    for (const client of [...clients]) await client.stop();
    sessions.stop();
    for (const release of releases.splice(0)) release();
    await Promise.allSettled(listeners.map((listener) => listener.close()));
    tasks.dropAll();
    deadlines.stop();
    await store.leave(lease).catch(storeFailed);
    await store.close().catch(storeFailed);
    resolveServing();
    resolveStopped();
  }

  await serving;
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
    dial,
    client() {
      const client = createClient({ ...options, dial });
      clients.add(client);
      return client;
    },
    async stats() {
      const { byStatus } = await store.stats();
      const byNode: Record<string, number> = {};
      for (const node of nodes.all()) byNode[node.status] = (byNode[node.status] ?? 0) + 1;
      return { ...ownStats(), tasks: { ...byStatus }, nodes: byNode };
    },
    drain() {
      root.send({ type: 'gateway.drain' });
      return stopped;
    },
    stop() {
      root.send({ type: 'gateway.stop' });
      return stopped;
    },
    [Symbol.asyncDispose]() {
      root.send({ type: 'gateway.stop' });
      return stopped;
    },
  };
}

function sameRef(one: { taskId: string; attempt: number }, other: { taskId: string; attempt: number }): boolean {
  return one.taskId === other.taskId && one.attempt === other.attempt;
}

function unexpected(command: never): never {
  throw new Error(`unexpected command ${JSON.stringify(command)}`);
}
