/**
 * What any peer may ask of its gateway: tasks submitted, followed and cancelled, questions, orders. Clients and nodes have
 * the same. What was not answered when a link broke is asked again.
 */
import { ZodError } from 'zod';
import { PincerError } from '../../protocol/failure.ts';
import { parseLeniently } from '../../protocol/lenient.ts';
import type { Message, Payload } from '../../protocol/message.ts';
import type { NodeStatus, NodeView } from '../../protocol/node.ts';
import { checkOptions, type Names } from '../../protocol/options.ts';
import { ANSWERS, type Answer, type Order, type Query, type TaskFilter } from '../../protocol/query.ts';
import type { HistoryEntry, TaskStatus, TaskView } from '../../protocol/task.ts';
import { decodePayload } from '../../transport/payload.ts';
import type { Connection } from '../peer/connection.ts';
import { Requests } from '../peer/requests.ts';
import type { InputOf, ProgressOf, ResultOf, TaskDefinition } from '../task-definition.ts';
import type { World } from '../world/world.ts';
import type { TaskHandle } from './handle.ts';
import { type ScheduleOptions, type ScheduleTimes, scheduleOrder } from './schedule-order.ts';
import { definitionOf, type SubmitOptions } from './submit-spec.ts';
import { Submits } from './submits.ts';

/**
 * What a client or node may ask of its gateway. While there is none, submits wait for one; anything else that has no answer
 * after `questionMs` (5 minutes) rejects, with `GATEWAY_UNREACHABLE` and the reason or with `TIMED_OUT`.
 */
export interface GatewayCalls {
  /**
   * Submits a task. Never throws: what is wrong comes with the handle. Call it in a loop for a batch: what is submitted in
   * one turn travels in shared frames and is committed together, and each task has its own verdict.
   */
  submit<Definition extends TaskDefinition>(
    task: Definition,
    input: InputOf<Definition>,
    options?: SubmitOptions,
  ): TaskHandle<ResultOf<Definition>, ProgressOf<Definition>>;
  /** Submits an untyped task by its type’s name. */
  submit(type: string, input?: unknown, options?: SubmitOptions): TaskHandle;
  /** A handle on a task that was submitted earlier, by whomever. One that nobody knows has failed with `TASK_UNKNOWN`, after no attempt. */
  follow(taskId: string): TaskHandle;
  /** Asks for cancellation; resolves with the status after. */
  cancel(taskId: string): Promise<TaskStatus>;
  /** Lists tasks, newest first. */
  tasks(filter?: TaskFilter): Promise<{ items: TaskView[]; total: number; cursor?: string | undefined }>;
  /** One task with its result (decoded) and history, and how many of its failures were timeouts. */
  task(taskId: string): Promise<{ task: TaskView; timeouts: number; result?: unknown; history: HistoryEntry[] }>;
  /** Why a task is where it is, and what each node has to do with it. */
  why(taskId: string): Promise<Answer<'why'>>;
  /**
   * Submits a task again and again, by a cron pattern or every so many milliseconds; a schedule with the same id is
   * replaced. Kept by the store, run by whichever gateway is up; after a time without any the newest missed run is made up
   * for, and no more. Rejects with `SCHEDULE_INVALID` for times that cannot be read or never come.
   */
  schedule<Definition extends TaskDefinition>(
    scheduleId: string,
    when: ScheduleTimes,
    task: Definition,
    input: InputOf<Definition>,
    options?: ScheduleOptions,
  ): Promise<void>;
  /** The same for an untyped task, by its type’s name. */
  schedule(
    scheduleId: string,
    when: ScheduleTimes,
    type: string,
    input?: unknown,
    options?: ScheduleOptions,
  ): Promise<void>;
  /** Lists schedules, by id. */
  schedules(page?: { limit?: number; cursor?: string }): Promise<Answer<'schedules'>>;
  /** Ends a schedule; tasks it has made stay. Rejects with `SCHEDULE_UNKNOWN`. */
  unschedule(scheduleId: string): Promise<void>;
  nodes(filter?: { status?: NodeStatus[] }): Promise<NodeView[]>;
  node(nodeId: string): Promise<NodeView>;
  stats(): Promise<Answer<'stats'>>;
  /** A page of a checkup of the cluster: what is wrong and what to do. The first page, without a cursor, looks at more than tasks. */
  doctor(page?: { limit?: number; cursor?: string }): Promise<Answer<'doctor'>>;
  /** Asks the gateway to drain, resume or evict a node, to pause or resume a task type, or to retry a failed task; resolves with the status after. */
  order(order: Order): Promise<string>;
  /**
   * Takes a lease or renews it, for `ttlMs` (1 000 to 300 000) from about now; null while somebody else holds it. For
   * nodes of type channel; anybody else is refused with `FORBIDDEN`.
   */
  takeLease(key: string, ttlMs: number): Promise<{ readonly token: number } | null>;
  /** Gives a lease back before its time. A token that is not its last one frees nothing. */
  freeLease(key: string, token: number): Promise<void>;
}

/** The calls of one peer, and what its connection has to tell them. */
export class Calls {
  readonly requests: Requests;
  readonly api: GatewayCalls;
  readonly #submits: Submits;
  readonly #log: World['log'];
  #end: PincerError | null = null;

  constructor(world: World, connection: () => Connection) {
    const end = (): PincerError | null => this.#end;
    this.requests = new Requests(connection, world.limits);
    this.#log = world.log;
    const asks = asksOf(world, this.requests, connection);
    this.#submits = new Submits(world, { requests: this.requests, connection, cancel: asks.cancel, end });
    this.api = apiOf(world, asks, this.#submits);
  }

  /** A session has begun that knows nothing of what the old one left open or watched. */
  sayAgain(): void {
    this.requests.askAgain();
    this.#submits.watchAgain();
  }

  /** Takes an answer, or what the gateway says of tasks; false: the message was of something else. */
  take(message: Message): boolean {
    if (this.requests.answer(message)) return true;
    switch (message.type) {
      case 'task_settled':
        this.#submits.settle(message.payload);
        return true;
      case 'task_progress':
        this.#submits.report(message.payload);
        return true;
      case 'error':
        if (this.#submits.refuseWatch(message.re, PincerError.from(message.payload))) return true;
        this.#log.warn('gateway.error', { code: message.payload.code, message: message.payload.message });
        return true;
      default:
        return false;
    }
  }

  /** Nothing will come any more. */
  fail(error: PincerError): void {
    this.#end ??= error;
    this.requests.end(error);
    this.#submits.fail(error);
  }
}

const PAGE = { limit: true, cursor: true } as const;
const TASK_FILTER: Names<TaskFilter> = { status: true, type: true, node: true, ...PAGE };

type Asks = ReturnType<typeof asksOf>;

function apiOf({ limits, clock }: World, { ask, order, cancel }: Asks, submits: Submits): GatewayCalls {
  return {
    submit: ((task: TaskDefinition | string, input: unknown, how?: SubmitOptions) =>
      submits.submit(task, input, how)) as GatewayCalls['submit'],
    follow: (taskId) => submits.follow(taskId),
    cancel,
    tasks: async (filter = {}) => {
      checkOptions(filter, 'tasks', 'a filter, or nothing', TASK_FILTER);
      return ask({ what: 'tasks', filter });
    },
    async task(taskId) {
      const { task, timeouts, result, history } = await ask({ what: 'task', taskId });
      return { task, timeouts, history, ...(result === undefined ? {} : { result: decodePayload(result, limits) }) };
    },
    schedule: (async (
      scheduleId: string,
      when: ScheduleTimes,
      task: TaskDefinition | string,
      input: unknown = null,
      options: ScheduleOptions = {},
    ) => {
      const definition = definitionOf(task, 'schedule');
      const nowMs = clock.wallTime();
      await order(await scheduleOrder({ scheduleId, when, nowMs, definition, input, options, limits }));
    }) as GatewayCalls['schedule'],
    schedules: async (page = {}) => {
      checkOptions(page, 'schedules', 'limit and cursor, or nothing', PAGE);
      return ask({ what: 'schedules', ...page });
    },
    async unschedule(scheduleId) {
      await order({ what: 'schedule.drop', scheduleId });
    },
    async why(taskId) {
      const { cursor: next, ...why } = await ask({ what: 'why', taskId });
      for (let cursor = next; cursor !== undefined; ) {
        const page = await ask({ what: 'why', taskId, cursor });
        why.nodes.push(...page.nodes);
        cursor = page.cursor;
      }
      return why;
    },
    async nodes(filter = {}) {
      checkOptions(filter, 'nodes', 'a filter, or nothing', { status: true });
      const nodes: NodeView[] = [];
      let cursor: string | undefined;
      do {
        const from = cursor === undefined ? {} : { cursor };
        const page = await ask({ what: 'nodes', ...filter, limit: limits.listMax, ...from });
        nodes.push(...page.items);
        cursor = page.cursor;
      } while (cursor !== undefined);
      return nodes;
    },
    node: async (nodeId) => (await ask({ what: 'node', nodeId })).node,
    stats: () => ask({ what: 'stats' }),
    doctor: async (page = {}) => {
      checkOptions(page, 'doctor', 'limit and cursor, or nothing', PAGE);
      return ask({ what: 'doctor', ...page });
    },
    order: async (wanted) => (await order(wanted)).status,
    async takeLease(key, ttlMs) {
      const { token } = await order({ what: 'lease.take', key, ttlMs });
      return token === undefined ? null : { token };
    },
    async freeLease(key, token) {
      await order({ what: 'lease.free', key, token });
    },
  };
}

function asksOf({ deadlines, limits }: World, requests: Requests, connection: () => Connection) {
  /** Asks, and waits for no more than `questionMs`: with no gateway there, or one that hangs, nobody else would say so. */
  function put<Type extends 'query' | 'order' | 'task_cancel', Value>(
    type: Type,
    payload: Payload<Type>,
    read: (message: Message) => Value,
  ): Promise<Value> {
    return new Promise((resolve, reject) => {
      const late = deadlines.set(limits.questionMs, () => {
        takeBack();
        reject(lateError(limits.questionMs, connection()));
      });
      const fail = (error: unknown): void => {
        late.clear();
        reject(error);
      };
      const onAnswer = (message: Message): void => {
        late.clear();
        try {
          resolve(read(message));
        } catch (error) {
          reject(error);
        }
      };
      const takeBack = requests.ask(type, payload, onAnswer, fail);
    });
  }

  return {
    ask: <What extends Query['what']>(query: Extract<Query, { what: What }>): Promise<Answer<What>> =>
      put('query', query, (message) => read(query.what, message)),
    order: (wanted: Order): Promise<Answer<'order'>> => put('order', wanted, (message) => read('order', message)),
    cancel: (taskId: string): Promise<TaskStatus> =>
      put('task_cancel', { taskId }, ({ type, payload }) =>
        type === 'task_cancelling' ? payload.status : 'cancelling',
      ),
  };
}

function lateError(waitedMs: number, { isUp, lastError }: Connection): PincerError {
  if (isUp) return new PincerError('TIMED_OUT', `the gateway has not answered within ${waitedMs} ms (questionMs)`);
  const because = lastError === null ? '' : `: ${lastError.message}`;
  const hint = lastError?.code === 'GATEWAY_UNREACHABLE' ? { hint: lastError.hint } : {};
  return new PincerError('GATEWAY_UNREACHABLE', `no gateway within ${waitedMs} ms (questionMs)${because}`, hint);
}

/**
 * A gateway of a newer version may say more than is known here.
 * @throws PincerError `MESSAGE_INVALID`
 */
function read<What extends keyof typeof ANSWERS>(what: What, { payload }: Message): Answer<What> {
  try {
    return parseLeniently(ANSWERS[what], payload) as Answer<What>;
  } catch (error) {
    const field = error instanceof ZodError ? error.issues[0]?.path.join('.') : undefined;
    throw new PincerError('MESSAGE_INVALID', `the answer to '${what}' does not fit: ${field}`, { cause: error });
  }
}
