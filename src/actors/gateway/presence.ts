/**
 * What the comings and goings of peers mean: for the node that a session stands for, for what that node was running, for
 * those who watched or listened over it.
 */
import { requirementOf } from '../../machines/policies/requirement-class.ts';
import { type FailureCode, PincerError, toFailure } from '../../protocol/failure.ts';
import type { Message, Payload } from '../../protocol/message.ts';
import type { TaskRecord } from '../store/store.ts';
import type { World } from '../world/world.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { Dispatch } from './dispatch/dispatch.ts';
import type { Inbox } from './inbox.ts';
import type { Granting } from './nodes/granting.ts';
import type { Node, Nodes } from './nodes/nodes.ts';
import type { Session, SessionsOwner, Silence } from './sessions/session.ts';
import type { Switchboard } from './switchboard.ts';
import { includes, type Reconciliation } from './tasks/reconciliation.ts';
import type { Tasks } from './tasks/tasks.ts';
import type { Watchers } from './tasks/watchers.ts';

export interface PresenceOptions {
  readonly nodes: Nodes;
  readonly tasks: Tasks;
  readonly dispatch: Dispatch;
  readonly reconciliation: Reconciliation;
  readonly watchers: Watchers;
  readonly switchboard: Switchboard;
  readonly cluster: Cluster;
  readonly inbox: () => Inbox;
  readonly granting: Granting;
}

export class Presence implements SessionsOwner {
  readonly #world: World;
  readonly #options: PresenceOptions;
  /** Peers that are leaving in order, and why. */
  readonly #left = new Map<string, string>();
  /** Nodes of which a newer process registers: what the older had is the newer’s if it says so, and else lost by then. */
  readonly #succeeded = new Set<string>();

  constructor(world: World, options: PresenceOptions) {
    this.#world = world;
    this.#options = options;
  }

  async onRegister(
    session: Session,
    claim: Payload<'register'>,
  ): Promise<{ capabilities: readonly string[]; drop: Payload<'welcome'>['drop'] }> {
    if (session.kind === 'client') {
      this.#loseSucceeded(claim.nodeId);
      return { capabilities: [], drop: [] };
    }
    const { nodes, reconciliation, granting } = this.#options;
    const { nodesMax } = this.#world.limits;
    if (nodes.get(claim.nodeId) === undefined && nodes.size >= nodesMax) {
      throw new PincerError('RATE_EXCEEDED', `this gateway knows ${nodesMax} nodes already`);
    }
    const granted = granting.of(session, claim);
    const known = nodes.get(claim.nodeId);
    const isSameProcess = known?.incarnation === claim.incarnation;
    if (known !== undefined && !isSameProcess && known.lostTasks.length > 0) {
      const crash = new PincerError('NODE_LOST', 'its process ended without a word, and another one came');
      known.breaker.fault(crash.toFailure(), known.lostTasks);
    }
    const drop = await reconciliation.reconcile(claim.nodeId, claim.running, isSameProcess);
    this.#succeeded.delete(claim.nodeId);
    return { capabilities: granted.capabilities, drop };
  }

  onSucceeded({ kind, peerId }: Session): void {
    if (kind !== 'client') this.#succeeded.add(peerId);
  }

  onAttached(session: Session, claim: Payload<'register'>): void {
    const { nodes, tasks, dispatch, switchboard, cluster, granting } = this.#options;
    switchboard.attach(session);
    if (session.kind === 'client') return;
    const { capabilities, maxTasks } = granting.of(session, claim);
    const node = nodes.attach(session, { ...claim, maxTasks }, capabilities);
    for (const ref of tasks.heldBy(session.peerId)) {
      if (includes(claim.running, ref)) nodes.take(node, ref, resourcesOf(tasks.recordOf(ref.taskId)));
    }
    nodes.tellSlots();
    cluster.attached(node);
    tasks.stopAgain(session.peerId);
    dispatch.roomChanged();
  }

  onAbandoned({ kind, peerId }: Session): void {
    const { nodes, tasks } = this.#options;
    this.#loseSucceeded(peerId);
    if (kind === 'client' || (nodes.get(peerId)?.session ?? null) !== null) return;
    tasks.lose(peerId, new PincerError('NODE_LOST', `node ${peerId} went while it registered`).toFailure());
    tasks.flush();
  }

  onDetached(session: Session): void {
    this.#tell(session, { type: 'session.detached' }, 'its link is closed');
  }

  onResumed(session: Session, claim: Payload<'register'>): void {
    const { nodes, granting } = this.#options;
    const node = nodes.get(session.peerId);
    // It may have got handlers or slots while it was away.
    const { capabilities, maxTasks } = granting.of(session, claim);
    if (node?.session === session) nodes.update(node, { ...claim, maxTasks }, capabilities);
    this.#tell(session, { type: 'session.attached' }, null);
  }

  /** What is declared has changed. Returns who is not welcome any more. */
  grantAgain(): Session[] {
    const { nodes, granting, dispatch } = this.#options;
    const unwelcome: Session[] = [];
    for (const node of nodes.all()) {
      if (node.session === null) continue;
      try {
        const { capabilities, maxTasks } = granting.again(node.session);
        nodes.update(node, { maxTasks }, capabilities);
      } catch (error) {
        node.reason = toFailure(error, 'FORBIDDEN').message;
        unwelcome.push(node.session);
      }
    }
    nodes.tellSlots();
    dispatch.roomChanged();
    return unwelcome;
  }

  onClosed(session: Session, code: FailureCode | null): void {
    const { watchers, switchboard, tasks } = this.#options;
    const { peerId, fault } = session;
    watchers.drop(session);
    switchboard.close(session);
    const why = this.#left.get(peerId) ?? `its session ended: ${code ?? fault?.code ?? 'the peer left'}`;
    this.#tell(session, { type: 'session.closed' }, why);
    const node = this.#options.nodes.get(peerId);
    if (node !== undefined && code === 'EVICTED') node.lostTasks = [];
    this.#left.delete(peerId);
    tasks.flush();
  }

  onSilence(session: Session, event: Silence): void {
    const now = this.#world.clock.now();
    const silent = `silent for ${Math.round(now - (session.lastHeardAt ?? now))} ms`;
    if (event === 'suspected') this.#tell(session, { type: 'silence.suspected' }, silent);
    else if (event === 'broken') this.#tell(session, { type: 'silence.broken' }, null);
    else this.#tell(session, { type: 'silence.passed' }, silent);
  }

  onMessages(session: Session, messages: readonly Message[]): void {
    this.#options.inbox().take(session, messages);
  }

  onFlow(): void {
    this.#options.dispatch.roomChanged();
  }

  /** A peer says goodbye: what it had is handed back, not lost. */
  leave(session: Session, reason: string): void {
    this.#left.set(session.peerId, reason);
  }

  /** A node is lost, with every attempt it held. */
  lose(node: Node, reason: string): void {
    const { nodeId } = node;
    const { tasks } = this.#options;
    if (this.#succeeded.has(nodeId)) return;
    node.lostTasks = this.#left.has(nodeId) ? [] : tasks.heldBy(nodeId).map((ref) => ref.taskId);
    if (this.#left.has(nodeId)) tasks.handBack(nodeId);
    else tasks.lose(nodeId, new PincerError('NODE_LOST', `node ${nodeId} was lost: ${reason}`).toFailure());
    tasks.flush();
  }

  /** Whoever came in the place of a node has not taken over what it had. */
  #loseSucceeded(nodeId: string): void {
    const node = this.#options.nodes.get(nodeId);
    if (this.#succeeded.delete(nodeId) && node !== undefined) this.lose(node, 'another process took its name');
  }

  #tell(session: Session, event: Parameters<Nodes['tell']>[1], reason: string | null): void {
    const { nodes } = this.#options;
    const node = nodes.get(session.peerId);
    if (node === undefined || node.session !== session) return;
    node.reason = reason;
    nodes.tell(node, event);
  }
}

/** What an attempt takes of the resources of its node. */
function resourcesOf(record: TaskRecord | undefined): Readonly<Record<string, number>> {
  return record === undefined ? {} : (requirementOf(record.queue).resources ?? {});
}
