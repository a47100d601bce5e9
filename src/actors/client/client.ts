/**
 * A client: submits tasks, follows them, asks questions. What was not answered when a link broke is asked again; task ids
 * are made here, so that asking again never makes a second task.
 */

import { PincerError } from '../../protocol/failure.ts';
import { Identifier } from '../../protocol/identifier.ts';
import type { Message, Payload } from '../../protocol/message.ts';
import type { NodeStatus, NodeView } from '../../protocol/node.ts';
import { ANSWERS, type Answer, type Query, type TaskFilter } from '../../protocol/query.ts';
import { type HistoryEntry, TaskSpec, type TaskStatus, type TaskView } from '../../protocol/task.ts';
import { decodePayload, encodePayload } from '../../transport/payload.ts';
import { type Connection, connect } from '../connection.ts';
import { dialsOf, type Target } from '../dials.ts';
import { type Messaging, Messenger } from '../messenger.ts';
import { realPorts } from '../real-ports.ts';
import { Requests } from '../requests.ts';
import { checked, type InputOf, type ProgressOf, type ResultOf, type TaskDefinition } from '../task-definition.ts';
import { createWorld, type WorldOptions } from '../world.ts';
import { Submission, type TaskHandle } from './handle.ts';

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

export interface SubmitOptions {
  /** 1 (first) to 10 (last). Default 5. */
  readonly priority?: number;
  /** How long one attempt may run, in milliseconds. Default: the task’s, else 300 000. */
  readonly timeoutMs?: number;
  /** Idempotency key: the same key is the same task. */
  readonly key?: string;
  /** Capabilities a node must have, beyond the task’s own. */
  readonly needs?: readonly string[];
  /** How many failures the task may have before it is failed. Default: the task’s, else 3. */
  readonly attempts?: number;
  /** The task’s id; submitting it twice makes one task. Default: a fresh one. */
  readonly taskId?: string;
  /** False: do not follow the task; only `accepted()` of its handle resolves. Default true. */
  readonly watch?: boolean;
  /** Aborting cancels the task. */
  readonly signal?: AbortSignal;
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
  /** Messages to and from other peers. */
  readonly messages: Messaging;
  /** Hangs up. What still waits rejects with `STOPPED`; the tasks go on. Idempotent. */
  stop(): Promise<void>;
}

/** Submits that wait for their acknowledgement at once; further ones wait here, so that a link is never flooded. */
const SUBMITS_UNDER_WAY_MAX = 8_192;

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
  const submissions = new Map<string, Submission>();
  /** Accepted and followed, by the id the gateway knows. */
  const followed = new Map<string, Set<Submission>>();
  const backlog: (() => void)[] = [];
  let underWay = 0;
  let readyWaiters: { resolve: () => void; reject: (error: PincerError) => void }[] = [];
  let end: PincerError | null = null;
  let stopping: Promise<void> | null = null;

  const requests = new Requests(() => connection);
  const messenger = new Messenger(world, { requests, connection: () => connection });
  const connection: Connection = connect(world, {
    dials,
    owner: {
      register: () => ({ nodeId: id, nodeType: 'client', incarnation, capabilities: [], maxTasks: 0, running: [] }),
      onUp: (welcome) => {
        if (!welcome.resumed) {
          requests.askAgain();
          watchAgain();
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
      case 'task_settled': {
        const waiting = followed.get(message.payload.taskId);
        followed.delete(message.payload.taskId);
        for (const submission of waiting ?? []) submission.settle(message.payload);
        break;
      }
      case 'task_progress':
        for (const submission of followed.get(message.payload.taskId) ?? []) submission.report(message.payload.payload);
        break;
      case 'error':
        log.warn('gateway.error', { code: message.payload.code, message: message.payload.message });
        break;
      default:
        log.warn('message.unexpected', { type: message.type });
    }
  }

  /** A new session does not know what the old one watched. */
  function watchAgain(): void {
    const taskIds = [...followed.keys()];
    for (let start = 0; start < taskIds.length; start += limits.listMax)
      watch(taskIds.slice(start, start + limits.listMax));
  }

  function watch(taskIds: string[]): void {
    connection.send('task_watch', { taskIds });
  }

  function follow(submission: Submission, taskId: string): void {
    const waiting = followed.get(taskId);
    if (waiting === undefined) followed.set(taskId, new Set([submission]));
    else waiting.add(submission);
  }

  function submit(task: TaskDefinition | string, input: unknown, submitOptions: SubmitOptions = {}): TaskHandle {
    const definition = typeof task === 'string' ? { type: task } : task;
    const submission = new Submission(submitOptions.taskId ?? ids(), limits, cancel);
    submissions.set(submission.taskId, submission);
    prepare(definition, input, submission.taskId, submitOptions).then(
      (payload) => enqueue(submission, payload, submitOptions.signal),
      (error: unknown) => refuse(submission, asPincerError(error)),
    );
    return submission;
  }

  async function prepare(
    definition: TaskDefinition,
    input: unknown,
    taskId: string,
    submitOptions: SubmitOptions,
  ): Promise<Payload<'task_submit'>> {
    const { priority = 5, key, watch: isWatched, signal } = submitOptions;
    if (end !== null) throw end;
    if (signal?.aborted === true) throw new PincerError('TASK_CANCELLED', 'the signal was aborted before the submit');
    // Checked here for an early, precise error; sent as given: the node parses it anew and fills in defaults.
    await checked(definition.input, input, 'PAYLOAD_INVALID', 'input');
    const payload = encodePayload(input, limits);
    if (payload.byteLength > limits.payloadBytesMax) {
      throw new PincerError(
        'PAYLOAD_TOO_LARGE',
        `the payload has ${payload.byteLength} bytes, more than ${limits.payloadBytesMax}`,
      );
    }
    const needs = [...new Set([...(definition.needs ?? []), ...(submitOptions.needs ?? [])])];
    const attempts = submitOptions.attempts ?? definition.retry?.attempts;
    const spec = {
      taskId,
      type: definition.type,
      payload,
      priority,
      timeout: submitOptions.timeoutMs ?? definition.timeoutMs ?? limits.taskTimeoutMs,
      ...(needs.length === 0 ? {} : { needs }),
      ...(attempts === undefined ? {} : { attempts }),
      ...(key === undefined ? {} : { key }),
    };
    const parsed = TaskSpec.safeParse(spec);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new PincerError(
        'OPTION_INVALID',
        `submit: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is invalid'}`,
      );
    }
    return isWatched === false ? { ...spec, watch: false } : spec;
  }

  function enqueue(submission: Submission, payload: Payload<'task_submit'>, signal: AbortSignal | undefined): void {
    backlog.push(() => send(submission, payload));
    pump();
    if (signal === undefined) return;
    const onAbort = (): void =>
      void submission
        .accepted()
        .then(() => submission.cancel())
        .catch(() => {});
    signal.addEventListener('abort', onAbort, { once: true });
    const release = (): void => signal.removeEventListener('abort', onAbort);
    submission.outcome().then(release, release);
    if (signal.aborted) onAbort();
  }

  function pump(): void {
    while (underWay < SUBMITS_UNDER_WAY_MAX) {
      const next = backlog.shift();
      if (next === undefined) return;
      underWay += 1;
      next();
    }
  }

  function send(submission: Submission, payload: Payload<'task_submit'>): void {
    // Followed from the start: the outcome may come in the same frame as the acceptance.
    if (payload.watch !== false) follow(submission, submission.taskId);
    const over = (): void => {
      underWay -= 1;
      submissions.delete(payload.taskId);
      pump();
    };
    requests.ask(
      'task_submit',
      payload,
      (message) => {
        if (message.type === 'task_accepted') {
          const { taskId, created } = message.payload;
          if (taskId !== payload.taskId && payload.watch !== false) {
            followed.delete(payload.taskId);
            follow(submission, taskId);
          }
          submission.accept(taskId, created);
        }
        over();
      },
      (error) => {
        followed.delete(payload.taskId);
        refuse(submission, error);
        over();
      },
    );
  }

  function refuse(submission: Submission, error: PincerError): void {
    submissions.delete(submission.taskId);
    submission.refuse(error);
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
    for (const submission of [...submissions.values(), ...[...followed.values()].flatMap((set) => [...set])]) {
      if (!submission.isOver) submission.refuse(error);
    }
    submissions.clear();
    followed.clear();
    backlog.length = 0;
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
    submit: submit as Client['submit'],
    follow(taskId) {
      const submission = new Submission(taskId, limits, cancel);
      if (end !== null) submission.refuse(end);
      else {
        follow(submission, taskId);
        submission.accept(taskId, false);
        // Without a session, the first welcome watches everything that is followed.
        watch([taskId]);
      }
      return submission;
    },
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

function asPincerError(error: unknown): PincerError {
  return error instanceof PincerError ? error : new PincerError('INTERNAL', String(error), { cause: error });
}
