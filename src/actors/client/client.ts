/**
 * A client: submits tasks, follows them, asks questions. What was not answered when a link broke is asked again; task ids
 * are made here, so that asking again never makes a second task.
 */

import { PincerError } from '../../protocol/failure.ts';
import { Identifier } from '../../protocol/identifier.ts';
import type { Message } from '../../protocol/message.ts';
import type { NodeStatus, NodeView } from '../../protocol/node.ts';
import { ANSWERS, type Answer, type Order, type Query, type TaskFilter } from '../../protocol/query.ts';
import type { HistoryEntry, TaskStatus, TaskView } from '../../protocol/task.ts';
import { decodePayload } from '../../transport/payload.ts';
import { type Connection, connect } from '../connection.ts';
import { dialsOf, type Target } from '../dials.ts';
import { type Messaging, Messenger } from '../messenger.ts';
import { realPorts } from '../real-ports.ts';
import { Requests } from '../requests.ts';
import type { InputOf, ProgressOf, ResultOf, TaskDefinition } from '../task-definition.ts';
import { createWorld, type WorldOptions } from '../world.ts';
import type { TaskHandle } from './handle.ts';
import { type SubmitOptions, Submits } from './submits.ts';

/** What `createClient` takes. */
export interface ClientOptions extends WorldOptions {
  /** The gateway: `ws://host:port`, or several of one store. */
  readonly url?: Target;
  /** As `url`, for a gateway in this process: `gateway.dial`. */
  readonly dial?: Target;
  /** The gateway’s token, if it asks for one. */
  readonly token?: string;
  /** The client’s name in logs. Default: a fresh one. */
  readonly id?: string;
}

/** A connected client. Dispose it (`await using`) or `stop()` it. */
export interface Client extends AsyncDisposable {
  readonly isConnected: boolean;
  /** Resolves when connected; rejects with `GATEWAY_UNREACHABLE` after `timeoutMs` (default 10 000), or with the refusal. */
  ready(timeoutMs?: number): Promise<void>;
  /** Submits a task. Never throws: what is wrong comes with the handle. */
  submit<Definition extends TaskDefinition>(
    task: Definition,
    input: InputOf<Definition>,
    options?: SubmitOptions,
  ): TaskHandle<ResultOf<Definition>, ProgressOf<Definition>>;
  /** Submits an untyped task by its type’s name. */
  submit(type: string, input?: unknown, options?: SubmitOptions): TaskHandle;
  /** A handle on a task that was submitted earlier, by whomever. */
  follow(taskId: string): TaskHandle;
  /** Asks for cancellation; resolves with the status after. */
  cancel(taskId: string): Promise<TaskStatus>;
  /** Lists tasks, newest first. */
  tasks(filter?: TaskFilter): Promise<{ items: TaskView[]; total: number; cursor?: string | undefined }>;
  /** One task with its result (decoded) and history. */
  task(taskId: string): Promise<{ task: TaskView; result?: unknown; history: HistoryEntry[] }>;
  /** Why a task is where it is, and what each node has to do with it. */
  why(taskId: string): Promise<Answer<'why'>>;
  nodes(filter?: { status?: NodeStatus[] }): Promise<NodeView[]>;
  node(nodeId: string): Promise<NodeView>;
  stats(): Promise<Answer<'stats'>>;
  /** Asks the gateway to drain, resume or evict a node, to pause or resume a task type, or to retry a failed task; resolves with the status after. */
  order(order: Order): Promise<string>;
  /** Messages to and from other peers. */
  readonly messages: Messaging;
  /** Hangs up. What still waits rejects with `STOPPED`; the tasks go on. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Makes a client and starts connecting.
 * @throws PincerError `OPTION_INVALID`.
 */
export function createClient(options: ClientOptions): Client {
  const world = createWorld(options, realPorts());
  const { ids, limits, deadlines, log } = world;
  const target = options.url ?? options.dial;
  if (target === undefined) throw new PincerError('OPTION_INVALID', 'createClient: url is missing');
  const dials = dialsOf(target, options.token, world);
  const id = options.id ?? `client-${ids().slice(0, 8)}`;
  if (!Identifier.safeParse(id).success)
    throw new PincerError('OPTION_INVALID', `createClient: id '${id}' is not an id`);
  const incarnation = ids();
  let readyWaiters: { resolve: () => void; reject: (error: PincerError) => void }[] = [];
  let end: PincerError | null = null;
  let stopping: Promise<void> | null = null;

  const requests = new Requests(() => connection);
  const messenger = new Messenger(world, { requests, connection: () => connection });
  const submits = new Submits(world, { requests, connection: () => connection, cancel, end: () => end });
  const connection: Connection = connect(world, {
    dials,
    owner: {
      register: () => ({ nodeId: id, nodeType: 'client', incarnation, capabilities: [], maxTasks: 0, running: [] }),
      onUp: (welcome) => {
        if (!welcome.resumed) {
          requests.askAgain();
          submits.watchAgain();
          messenger.subscribeAgain();
        }
        for (const { resolve } of readyWaiters.splice(0)) resolve();
      },
      onDown: () => {},
      onMessage: (message, done) => {
        if (message.type === 'direct' || message.type === 'broadcast') return messenger.take(message, done);
        take(message);
        done();
      },
      onRefused: (error) => fail(error),
    },
  });

  function take(message: Message): void {
    if (requests.answer(message)) return;
    switch (message.type) {
      case 'task_settled':
        submits.settle(message.payload);
        break;
      case 'task_progress':
        submits.report(message.payload);
        break;
      case 'error':
        log.warn('gateway.error', { code: message.payload.code, message: message.payload.message });
        break;
      default:
        log.warn('message.unexpected', { type: message.type });
    }
  }

  function ask<What extends Query['what']>(query: Extract<Query, { what: What }>): Promise<Answer<What>> {
    return new Promise((resolve, reject) => {
      if (end !== null) return reject(end);
      requests.ask(
        'query',
        query,
        (message) => {
          const parsed = ANSWERS[query.what].safeParse(message.payload);
          if (parsed.success) resolve(parsed.data as Answer<What>);
          else
            reject(
              new PincerError(
                'MESSAGE_INVALID',
                `the answer to '${query.what}' does not fit: ${parsed.error.issues[0]?.path.join('.')}`,
              ),
            );
        },
        reject,
      );
    });
  }

  function order(wanted: Order): Promise<string> {
    return new Promise((resolve, reject) => {
      if (end !== null) return reject(end);
      requests.ask('order', wanted, (message) => resolve(ANSWERS.order.parse(message.payload).status), reject);
    });
  }

  function cancel(taskId: string): Promise<TaskStatus> {
    return new Promise((resolve, reject) => {
      if (end !== null) return reject(end);
      requests.ask(
        'task_cancel',
        { taskId },
        (message) => resolve(message.type === 'task_cancelling' ? message.payload.status : 'cancelling'),
        reject,
      );
    });
  }

  /** Nothing will come any more. */
  function fail(error: PincerError): void {
    end ??= error;
    for (const { reject } of readyWaiters.splice(0)) reject(error);
    requests.failAll(error);
    messenger.fail(error);
    submits.fail(error);
  }

  async function stop(): Promise<void> {
    await connection.stop();
    fail(new PincerError('STOPPED', 'the client was stopped'));
    deadlines.stop();
  }

  return {
    get isConnected() {
      return connection.isUp;
    },
    ready(timeoutMs = 10_000) {
      if (connection.isUp) return Promise.resolve();
      if (end !== null) return Promise.reject(end);
      return new Promise((resolve, reject) => {
        const deadline = deadlines.set(timeoutMs, () => {
          readyWaiters = readyWaiters.filter((waiter) => waiter !== own);
          const because = connection.lastError === null ? '' : `: ${connection.lastError.message}`;
          reject(new PincerError('GATEWAY_UNREACHABLE', `not connected within ${timeoutMs} ms${because}`));
        });
        const own = {
          resolve: () => {
            deadline.clear();
            resolve();
          },
          reject: (error: PincerError) => {
            deadline.clear();
            reject(error);
          },
        };
        readyWaiters.push(own);
      });
    },
    messages: messenger,
    submit: ((task: TaskDefinition | string, input: unknown, how?: SubmitOptions) =>
      submits.submit(task, input, how)) as Client['submit'],
    follow: (taskId) => submits.follow(taskId),
    cancel,
    tasks: (filter = {}) => ask({ what: 'tasks', filter }),
    async task(taskId) {
      const { task, result, history } = await ask({ what: 'task', taskId });
      return { task, history, ...(result === undefined ? {} : { result: decodePayload(result, limits) }) };
    },
    why: (taskId) => ask({ what: 'why', taskId }),
    nodes: async (filter = {}) => (await ask({ what: 'nodes', ...filter })).items,
    node: async (nodeId) => (await ask({ what: 'node', nodeId })).node,
    stats: () => ask({ what: 'stats' }),
    order,
    stop() {
      stopping ??= stop();
      return stopping;
    },
    [Symbol.asyncDispose]() {
      stopping ??= stop();
      return stopping;
    },
  };
}
