/**
 * Runs one seeded stream of calls on one or more stores beside the model: every answer must be the model's, and after
 * every call each store must keep the invariants. A failure names the seed and the number of the call.
 */
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import type { Store, TaskRecord } from '../../src/actors/store/store.ts';
import { seededRandom } from '../../src/actors/world/seeded-random.ts';
import { createSimulatedClock, type SimulatedClock } from '../../src/actors/world/simulated-clock.ts';
import type { Limits } from '../../src/protocol/limits.ts';
import { isOutcome, TASK_STATUSES } from '../../src/protocol/task-status.ts';
import { type Call, hexOf, nextCall, perform, predict, type Subject } from './store-calls.ts';
import { StoreModel } from './store-model.ts';
import { outlookOf, statusOf } from './store-model-task.ts';
import { replay, replayable } from './store-replay.ts';

/** Makes an open, empty store on the clock. */
export type OpenStore = (clock: SimulatedClock, limits?: Partial<Limits>) => Promise<Store>;

/**
 * After how many calls everything is compared, and not only what the call names: nothing gets lost in between, since a
 * history keeps whatever once differed. Reading it all each time was most of the time that a stream took.
 */
const CALLS_PER_PICTURE = 10;

/** Short, so that waiting, priority and fairness weigh about the same within a stream, and some tasks crash too often. */
const SETTINGS = { agingMs: 1_000, fairSpacingMs: 700, fairAheadMsMax: 3_000, crashesMax: 2, clientTasksMax: 4 };

/** One stream of `calls` on every store that `opens` opens. */
async function runStream(opens: readonly OpenStore[], seed: number, calls = 150): Promise<void> {
  const clock = createSimulatedClock(seed);
  const random = seededRandom(seed);
  const model = new StoreModel(SETTINGS);
  const subjects = await Promise.all(
    opens.map(async (open): Promise<Subject> => ({ store: await open(clock, SETTINGS), gateways: [], epochs: [] })),
  );
  const auditors = subjects.map(() => new Auditor());
  const listeners = subjects.map(({ store }) => new HintListener(store));
  let gateways = 0;
  for (let step = 0; step < calls; step += 1) {
    const call = nextCall(random, model, gateways, clock);
    if (call.verb === 'pass') await clock.advance(call.ms);
    const predicted = predict(model, call, clock.now(), gateways);
    const named = namedBy(call, predicted, model);
    const touched = movesOthers(call) ? null : named;
    if (call.verb === 'join') gateways += 1;
    for (const [index, subject] of subjects.entries()) {
      const where = `${subject.store.kind}, seed ${seed}, call ${step} ${describeCall(call)}`;
      same(await perform(subject, call), predicted, `${where}: the answer`);
      await auditors[index]?.audit({ subject, model, touched, nowMs: clock.now(), where });
    }
    await clock.runSoon();
    for (const listener of listeners) listener.check(call, model, clock.now(), `seed ${seed}, call ${step}`);
    model.untold.length = 0;
    model.moved.length = 0;
    const isWhole = (step + 1) % CALLS_PER_PICTURE === 0 || step === calls - 1;
    const [first, ...others] = subjects;
    for (const other of others) {
      if (first === undefined) break;
      const of = (subject: Subject) => pictureOf(subject, model, isWhole ? null : named);
      same(await of(other), await of(first), `seed ${seed}, call ${step}`);
    }
  }
  for (const { store } of subjects) await store.close();
}

/** Runs the same stream on two stores: every answer, record, history, list and figure must be identical. */
export async function differential(openA: OpenStore, openB: OpenStore, seed: number, calls = 150): Promise<void> {
  await runStream([openA, openB], seed, calls);
}

/** What to look at, and beside what. */
interface Look {
  readonly subject: Subject;
  readonly model: StoreModel;
  readonly touched: ReadonlySet<string> | null;
  readonly nowMs: number;
  readonly where: string;
}

/** Checks the invariants of engine.md, 3.3, from outside: by what records, histories, lists and figures say. */
class Auditor {
  readonly #attempts = new Map<string, number>();
  readonly #settled = new Map<string, TaskRecord>();

  /** Looks at the tasks that a call touched; at everything if that is not known. */
  async audit(look: Look): Promise<void> {
    await this.#auditTasks(look);
    if (look.touched === null) await this.#auditFigures(look);
  }

  async #auditTasks({ subject: { store, gateways }, model, touched, nowMs, where }: Look): Promise<void> {
    for (const task of model.tasks) {
      if (touched !== null && !touched.has(task.taskId)) continue;
      const { taskId } = task;
      const record = await store.get(taskId);
      if (record === null) throw new Error(`${where}: ${taskId} was acknowledged and is not known`);
      same(
        { ...pick(record), owner: record.owner === null ? null : String(gateways.indexOf(record.owner)) },
        { ...pick(task), status: statusOf(task), owner: task.owner },
        `${where}: the record of ${taskId}`,
      );
      same(outlookIn(record), outlookOf(task, nowMs), `${where}: the outlook of ${taskId}`);
      if (task.lapse !== null) same(record.error?.code, task.lapse, `${where}: why ${taskId} failed`);
      same(replay(await store.history(taskId)), replayable(record), `${where}: the history of ${taskId}`);
      same(hexOf(await store.result(taskId)), hexOf(task.result), `${where}: the result of ${taskId}`);
      this.#checkAttempt(record, where);
      this.#checkSettled(record, where);
    }
  }

  async #auditFigures({ subject: { store, gateways }, model, nowMs, where }: Look): Promise<void> {
    const counts = Object.fromEntries(TASK_STATUSES.map((status) => [status, 0]));
    const ready = new Map<string, number>();
    for (const task of model.tasks) {
      const status = statusOf(task);
      counts[status] = (counts[status] ?? 0) + 1;
      if (status === 'pending') ready.set(task.queue, (ready.get(task.queue) ?? 0) + 1);
    }
    const stats = await store.stats();
    same(stats.byStatus, counts, `${where}: stats by status`);
    same(new Map([...stats.ready].sort()), new Map([...ready].sort()), `${where}: stats of what is ready`);
    const numbered = (await store.gateways()).map((row) => ({ ...row, gateway: gateways.indexOf(row.gateway) }));
    const present = model.gatewayRecords(nowMs).map((row) => ({ ...row, gateway: Number(row.gateway) }));
    same(sortedBy(numbered), sortedBy(present), `${where}: the gateways`);
    const { items, total } = await store.list({ limit: 100 });
    same(total, model.tasks.length, `${where}: the total of the list`);
    same(
      items.map(({ taskId }) => taskId),
      model.tasks.map(({ taskId }) => taskId).reverse(),
      `${where}: the list, newest first`,
    );
  }

  #checkAttempt({ taskId, attempt }: TaskRecord, where: string): void {
    const before = this.#attempts.get(taskId) ?? 0;
    if (attempt !== before && attempt !== before + 1) {
      throw new Error(`${where}: the attempt of ${taskId} went from ${before} to ${attempt}`);
    }
    this.#attempts.set(taskId, attempt);
  }

  #checkSettled(record: TaskRecord, where: string): void {
    const before = this.#settled.get(record.taskId);
    // Only a redrive undoes an outcome, and that is in no call that leaves the task settled.
    if (!isOutcome(record.status)) this.#settled.delete(record.taskId);
    else if (before !== undefined && before.finishedAt === record.finishedAt) {
      same(record, before, `${where}: ${record.taskId} had settled`);
    } else this.#settled.set(record.taskId, record);
  }
}

/** Hears what a store hints, and checks that nothing which needs a hint goes without. */
class HintListener {
  readonly #kind: string;
  /** Classes hinted at since they were last not claimable. */
  readonly #ready = new Set<string>();
  #settled: string[] = [];

  constructor(store: Store) {
    this.#kind = store.kind;
    store.onReady((queues) => {
      for (const queue of queues) this.#ready.add(queue);
    });
    store.onSettled((taskIds) => this.#settled.push(...taskIds));
  }

  check(call: Call, model: StoreModel, nowMs: number, where: string): void {
    same(this.#settled.sort(), [...model.untold].sort(), `${this.#kind}, ${where}: what settled inside`);
    this.#settled = [];
    const claimable = model.claimable(nowMs);
    // What only time has opened is told at the next claim or sweep.
    if (call.verb === 'claim' || call.verb === 'sweep') {
      const untold = claimable.filter((queue) => !this.#ready.has(queue));
      if (model.isPresent(String(call.gateway)) || call.verb === 'sweep')
        same(untold, [], `${this.#kind}, ${where}: classes that are claimable and were not told`);
    }
    for (const queue of this.#ready) if (!claimable.includes(queue)) this.#ready.delete(queue);
  }
}

/** The tasks that a call names, returns or is known to have moved. */
function namedBy(call: Call, answer: unknown, { moved }: StoreModel): ReadonlySet<string> {
  return new Set(JSON.stringify([call, answer, moved]).match(/\bt\d+\b/g));
}

/** Whether it may have moved any task: those that were due, or a gateway’s. */
function movesOthers({ verb }: Call): boolean {
  return verb === 'claim' || verb === 'sweep' || verb === 'leave';
}

/** All that can be asked of a store about tasks of the model, or about all of them; owners by number. */
async function pictureOf(
  { store, gateways }: Subject,
  model: StoreModel,
  named: ReadonlySet<string> | null,
): Promise<unknown> {
  const numbered = (text: string | null | undefined): string | null | undefined => {
    const index = gateways.indexOf(text ?? '');
    return index < 0 ? text : String(index);
  };
  const looked = named === null ? model.tasks : model.tasks.filter(({ taskId }) => named.has(taskId));
  const tasks = await Promise.all(
    looked.map(async ({ taskId }) => {
      const record = await store.get(taskId);
      const history = await store.history(taskId);
      return {
        record: record && { ...record, owner: numbered(record.owner) },
        history: history.map((entry) => ({ ...entry, gateway: numbered(entry.gateway) })),
      };
    }),
  );
  const { items, total } = await store.list({ status: ['pending', 'completed'], type: 'alpha', limit: 5 });
  return { tasks, total, items: items.map(({ taskId }) => taskId) };
}

function pick(task: Pick<TaskRecord, 'attempt' | 'failures' | 'crashes' | 'cancelRequested'> & { status: unknown }) {
  const { status, attempt, failures, crashes, cancelRequested } = task;
  return { status, attempt, failures, crashes, cancelRequested };
}

function sortedBy<Row extends { readonly gateway: number }>(rows: readonly Row[]): Row[] {
  return [...rows].sort((one, other) => one.gateway - other.gateway);
}

function outlookIn(record: TaskRecord): object {
  const { dueInMs, waitsFor, waitsForTotal, expiresInMs, deadlineInMs, fairKey, limitKey, prefer, affinityKey } =
    record;
  return { dueInMs, waitsFor, waitsForTotal, expiresInMs, deadlineInMs, fairKey, limitKey, prefer, affinityKey };
}

/** `expect` takes its time over equal values too, and a stream makes a hundred thousand comparisons. */
function same(actual: unknown, expected: unknown, where: string): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual, where).toEqual(expected);
}

function describeCall(call: Call): string {
  return JSON.stringify(call, (_, value) => (value instanceof Uint8Array ? hexOf(value) : value)).slice(0, 600);
}
