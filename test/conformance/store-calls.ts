/**
 * Seeded streams of store calls: what to call next, how to make the call on a store, and what the model says of it.
 * Gateways are named by number in calls and answers, because every store gives them ids of its own.
 */

import type { Completion, NewTask, Owned, Release, Store, Want } from '../../src/actors/store/store.ts';
import type { SimulatedClock } from '../../src/actors/world/simulated-clock.ts';
import type { AttemptRef } from '../../src/protocol/identifier.ts';
import type { Random } from '../../src/protocol/ports.ts';
import type { ModelClaim, StoreModel } from './store-model.ts';

/** What the directory is told of a node, its epoch by number. */
type Attached = { readonly nodeId: string; readonly epoch: number | null; readonly view: Uint8Array };
/** A completion, its owner by number. */
type Completed = Omit<Completion, 'owner'> & { readonly owner?: number };
type Note = AttemptRef & { readonly event: 'assigned' | 'started'; readonly node: string };

export type Call =
  | { readonly verb: 'pass'; readonly ms: number }
  | { readonly verb: 'join'; readonly ttlMs: number }
  | { readonly verb: 'renew'; readonly gateway: number; readonly ttlMs: number }
  | { readonly verb: 'leave' | 'owned' | 'sweep'; readonly gateway: number }
  | { readonly verb: 'submit'; readonly tasks: readonly NewTask[] }
  | { readonly verb: 'claim'; readonly gateway: number; readonly wants: readonly Want[]; readonly limit: number }
  | { readonly verb: 'note'; readonly notes: readonly Note[] }
  | { readonly verb: 'adopt'; readonly gateway: number; readonly node: string; readonly refs: readonly AttemptRef[] }
  | { readonly verb: 'complete'; readonly completions: readonly Completed[] }
  | { readonly verb: 'putNodes'; readonly gateway: number; readonly nodes: readonly Attached[] }
  | { readonly verb: 'dropNode'; readonly nodeId: string; readonly epoch: number }
  | { readonly verb: 'nodes' }
  | { readonly verb: 'release'; readonly gateway: number; readonly releases: readonly Release[] }
  | { readonly verb: 'checkpoint'; readonly entries: readonly (AttemptRef & { readonly data: Uint8Array })[] }
  | { readonly verb: 'cancel' | 'redrive'; readonly taskIds: readonly string[] }
  | { readonly verb: 'limit'; readonly key: string }
  | { readonly verb: 'ahead'; readonly taskId: string };

/** A store, and the ids that it has given to gateways in the order in which they joined. */
export interface Subject {
  readonly store: Store;
  readonly gateways: string[];
  /** The epochs that it has given, in the order in which it gave them. */
  readonly epochs: number[];
}

export const SWEEP_LIMIT = 1_000;
const TASKS = 32;
/** Classes: of each type, and of each limit. */
const QUEUES = ['alpha ', 'beta ', 'gamma ', 'alpha l0', 'beta l0', 'gamma l1'] as const;

/** How often each verb is called, relative to the others. */
const WEIGHTS = {
  ...{ submit: 18, claim: 24, note: 12, complete: 14, release: 12, adopt: 6, cancel: 5, checkpoint: 4 },
  ...{ sweep: 8, renew: 10, join: 3, leave: 2, pass: 14, ahead: 3, owned: 3, redrive: 4, limit: 3 },
  ...{ putNodes: 4, dropNode: 1, nodes: 2 },
} satisfies Record<Call['verb'], number>;

const VERBS = Object.entries(WEIGHTS).flatMap(([verb, weight]) => Array.from({ length: weight }, () => verb));

/** The next call of a stream. It asks the model which attempts there are, so that most calls concern real ones. */
export function nextCall(random: Random, model: StoreModel, gateways: number, clock: SimulatedClock): Call {
  const below = (limit: number): number => Math.floor(random() * limit);
  const oneOf = <Item>(items: readonly [Item, ...Item[]]): Item => items[below(items.length)] ?? items[0];
  const some = <Item>(make: () => Item): Item[] => Array.from({ length: 1 + below(4) }, make);
  const gateway = (): number => below(gateways + 1);
  const taskId = (): string => `t${below(TASKS)}`;
  const node = (): string => `n${below(3)}`;
  const bytes = (): Uint8Array => Uint8Array.from({ length: below(5) }, () => below(256));
  const held = model.tasks.filter((task) => task.status === 'held');
  const ref = (): AttemptRef => {
    const task = random() < 0.7 ? held[below(held.length)] : model.tasks[below(model.tasks.length)];
    if (task === undefined) return { taskId: taskId(), attempt: 1 + below(3) };
    return { taskId: task.taskId, attempt: Math.max(1, task.attempt + (random() < 0.8 ? 0 : below(4) - 2)) };
  };
  const newTask = (): NewTask => {
    const queue = oneOf(QUEUES);
    const [type = ''] = queue.split(' ');
    const limit = limitOf(queue);
    const base = { taskId: taskId(), type, queue, needs: [], priority: 1 + below(10), timeoutMs: 1_000 };
    const task: NewTask = { ...base, attemptsMax: 3, payload: bytes(), createdAt: clock.wallTime() };
    return {
      ...task,
      ...(random() < 0.15 ? { key: `k${below(4)}` } : {}),
      ...(random() < 0.2 ? { delayMs: 1 + below(2_000) } : {}),
      // Which of several that are freed at once gets its place first is nobody’s business, so not both for one task.
      ...oneOf([{}, {}, { fairKey: `f${below(2)}` }, { after: after() }]),
      ...(random() < 0.15 ? { ttlMs: 1 + below(3_000) } : {}),
      ...(random() < 0.15 ? { deadlineMs: 1 + below(6_000) } : {}),
      ...(limit === null ? {} : { limit }),
      ...oneOf([{}, {}, { prefer: node() }, { affinityKey: `a${below(3)}` }]),
      ...(random() < 0.4 ? { client: `client-${below(2)}` } : {}),
    };
  };
  const after = () => ({ taskIds: some(taskId), onFailure: oneOf(['fail', 'ignore', 'run'] as const) });
  const limitOf = (queue: string) => {
    // Now and then a task is in a class where it should not be: its limit holds all the same.
    const key = queue.split(' ')[1] || (random() < 0.03 ? 'l0' : '');
    if (key === '') return null;
    const concurrency = random() < 0.7 ? { concurrency: below(4) } : {};
    return { key, ...concurrency, ...(random() < 0.5 ? { perMinute: below(8) } : {}) };
  };
  const release = (): Release => {
    const costs = oneOf(['failure', 'crash', 'nothing'] as const);
    const plain = { ...ref(), costs, delayMs: random() < 0.5 ? 0 : below(1_500) };
    return random() < 0.5 ? plain : { ...plain, error: { code: 'HANDLER_FAILED', message: 'no', retryable: true } };
  };
  // One that was given, or one that never will be.
  const epoch = (): number => {
    const { given } = model.directory;
    return given > 0 && random() < 0.9 ? 1 + below(given) : 1_000_000;
  };
  const completion = (): Completed => {
    const status = oneOf(['completed', 'completed', 'failed', 'cancelled'] as const);
    const owner = random() < 0.2 ? { owner: gateway() } : {};
    const plain = { ...ref(), ...owner, status, runMs: below(500) };
    if (status === 'completed') return { ...plain, result: bytes(), node: node() };
    const error = { code: 'HANDLER_FAILED', message: 'no', retryable: false };
    return { ...plain, error, costs: oneOf([undefined, 'crash', 'failure'] as const) };
  };

  const verb = (gateways === 0 ? 'join' : VERBS[below(VERBS.length)]) as Call['verb'];
  switch (verb) {
    case 'pass':
      if (below(15) === 0) return { verb, ms: 60_000 };
      return { verb, ms: below(5) === 0 ? below(6_000) : below(500) };
    case 'join':
      return { verb, ttlMs: 1_000 + below(3_000) };
    case 'renew':
      return { verb, gateway: gateway(), ttlMs: 1_000 + below(3_000) };
    case 'leave':
    case 'owned':
    case 'sweep':
      return { verb, gateway: gateway() };
    case 'submit':
      return { verb, tasks: some(newTask) };
    case 'claim': {
      const wants = some(() => ({ queue: oneOf(QUEUES), limit: below(5) }));
      return {
        verb,
        gateway: gateway(),
        wants: [...wants, ...some(() => ({ queue: oneOf(QUEUES), limit: 2 }))],
        limit: below(7),
      };
    }
    case 'note':
      return { verb, notes: some(() => ({ ...ref(), event: oneOf(['assigned', 'started'] as const), node: node() })) };
    case 'adopt':
      return { verb, gateway: gateway(), node: node(), refs: some(ref) };
    case 'complete':
      return { verb, completions: some(completion) };
    case 'release':
      return { verb, gateway: gateway(), releases: some(release) };
    case 'checkpoint':
      return { verb, entries: some(() => ({ ...ref(), data: bytes() })) };
    case 'putNodes': {
      const nodes = some(() => ({ nodeId: node(), epoch: random() < 0.6 ? null : epoch(), view: bytes() }));
      return { verb, gateway: gateway(), nodes };
    }
    case 'dropNode':
      return { verb, nodeId: node(), epoch: epoch() };
    case 'nodes':
      return { verb };
    case 'cancel':
    case 'redrive':
      return { verb, taskIds: some(taskId) };
    case 'limit':
      return { verb, key: `l${below(3)}` };
    case 'ahead':
      return { verb, taskId: taskId() };
    default:
      return verb satisfies never;
  }
}

/** Makes the call and gives the answer in a form that does not depend on the store: no ids of its own, no words. */
export async function perform({ store, gateways, epochs }: Subject, call: Call): Promise<unknown> {
  const idOf = (gateway: number): string => gateways[gateway] ?? 'never:joined';
  // An epoch that was never given is no node’s.
  const epochOf = (epoch: number): number => epochs[epoch - 1] ?? Number.MAX_SAFE_INTEGER;
  const numberOf = (epoch: number): number => epochs.indexOf(epoch) + 1 || epochs.push(epoch);
  switch (call.verb) {
    case 'pass':
      return null;
    case 'join':
      gateways.push(await store.join('gateway', call.ttlMs));
      return gateways.length;
    case 'renew':
      return store.renew(idOf(call.gateway), call.ttlMs);
    case 'leave':
      return (await store.leave(idOf(call.gateway))) ?? null;
    case 'owned':
      return sorted(await store.owned(idOf(call.gateway)));
    case 'sweep': {
      const swept = await store.sweep(idOf(call.gateway), SWEEP_LIMIT);
      return { ...swept, dead: swept.dead.map((id) => gateways.indexOf(id)).sort() };
    }
    case 'submit': {
      const verdicts = await store.submit(call.tasks);
      return verdicts.map(({ taskId, ...verdict }) =>
        'refused' in verdict ? { taskId, refused: verdict.refused } : { taskId, ...verdict },
      );
    }
    case 'claim': {
      const claimed = await store.claim(idOf(call.gateway), call.wants, call.limit);
      return claimed?.map(({ record, ...claim }) => claimOf({ ...claim, ...attemptOf(record) })) ?? null;
    }
    case 'note':
      return store.note(call.notes) ?? null;
    case 'adopt':
      return store.adopt(idOf(call.gateway), call.node, call.refs);
    case 'complete': {
      const verdicts = await store.complete(
        call.completions.map(({ owner, ...plain }) => (owner === undefined ? plain : { ...plain, owner: idOf(owner) })),
      );
      return verdicts.map((verdict) => (typeof verdict === 'number' ? 'accepted' : verdict));
    }
    case 'putNodes': {
      const nodes = call.nodes.map((node) => ({ ...node, epoch: node.epoch === null ? null : epochOf(node.epoch) }));
      const given = await store.putNodes(idOf(call.gateway), nodes);
      return given?.map((epoch) => (epoch === null ? null : numberOf(epoch))) ?? null;
    }
    case 'dropNode':
      return store.dropNode(call.nodeId, epochOf(call.epoch));
    case 'nodes':
      return (await store.nodes()).map(({ nodeId, gateway, epoch, view }) => {
        return { nodeId, gateway: gateways.indexOf(gateway), epoch: numberOf(epoch), view: hexOf(view) };
      });
    case 'release':
      return store.release(idOf(call.gateway), call.releases);
    case 'checkpoint':
      return store.checkpoint(call.entries);
    case 'cancel':
      return store.cancel(call.taskIds);
    case 'redrive':
      return store.redrive(call.taskIds);
    case 'limit':
      return store.limit(call.key);
    case 'ahead':
      return store.ahead(call.taskId);
    default:
      return call satisfies never;
  }
}

/** What the model says that the answer must be. */
export function predict(model: StoreModel, call: Call, nowMs: number, gateways: number): unknown {
  const name = (gateway: number): string => String(gateway);
  switch (call.verb) {
    case 'pass':
      return null;
    case 'join':
      model.join(name(gateways), call.ttlMs, nowMs);
      return gateways + 1;
    case 'renew':
      return model.renew(name(call.gateway), call.ttlMs, nowMs);
    case 'leave':
      return model.leave(name(call.gateway), nowMs) ?? null;
    case 'owned':
      return sorted(model.owned(name(call.gateway)));
    case 'sweep': {
      const swept = model.sweep(name(call.gateway), SWEEP_LIMIT, nowMs);
      return { ...swept, dead: swept.dead.map(Number).sort() };
    }
    case 'submit':
      return call.tasks.map((task) => model.submit(task, nowMs));
    case 'claim': {
      const claimed = model.claim(name(call.gateway), call.wants, call.limit, nowMs);
      return claimed?.map(claimOf) ?? null;
    }
    case 'note':
      for (const note of call.notes) model.noted(note);
      return null;
    case 'adopt': {
      const adopted = call.refs.map((ref) => model.adopt(name(call.gateway), call.node, ref));
      return adopted.includes(null) ? null : adopted;
    }
    case 'complete':
      return call.completions.map(({ owner, ...plain }) =>
        model.complete(owner === undefined ? plain : { ...plain, owner: name(owner) }, nowMs),
      );
    case 'putNodes':
      return model.putNodes(name(call.gateway), call.nodes);
    case 'dropNode':
      return model.directory.drop(call.nodeId, call.epoch);
    case 'nodes':
      return model.directory.places
        .map(({ gateway, view, ...place }) => ({ ...place, gateway: Number(gateway), view: hexOf(view) }))
        .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
    case 'release':
      return call.releases.map((release) => model.release(name(call.gateway), release, nowMs));
    case 'checkpoint':
      return call.entries.map((entry) => model.checkpoint(entry, entry.data));
    case 'cancel':
      return call.taskIds.map((taskId) => model.cancel(taskId, nowMs));
    case 'redrive':
      return model.redrive(call.taskIds, nowMs);
    case 'limit':
      return model.limit(call.key, nowMs);
    case 'ahead':
      return model.ahead(call.taskId);
    default:
      return call satisfies never;
  }
}

function claimOf({ taskId, attempt, payload, checkpoint, remainingMs }: ModelClaim): unknown {
  return { taskId, attempt, remainingMs, payload: hexOf(payload), checkpoint: hexOf(checkpoint) };
}

function attemptOf({ taskId, attempt }: AttemptRef): AttemptRef {
  return { taskId, attempt };
}

/** Bytes as text: which class of array a store hands out does not matter. */
export function hexOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('hex');
}

function sorted(owned: readonly Owned[]): string[] {
  return owned.map(({ taskId, attempt, cancelRequested }) => `${taskId}:${attempt}:${cancelRequested}`).sort();
}
