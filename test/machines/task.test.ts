import { describe, expect, it } from 'vitest';
import { type TaskCommand, type TaskEvent, type TaskInput, taskMachine } from '../../src/machines/task.ts';
import { play } from '../support/chart.ts';
import { aTask, crash, failure, refusal, rejection, result } from '../support/reach.ts';

const placed = (attempt = 1, nodeId = 'n1'): TaskEvent => ({ type: 'task.placed', nodeId, attempt });
const succeeded: TaskEvent = { type: 'attempt.succeeded', result, runMs: 5 };
const failed: TaskEvent = { type: 'attempt.failed', failure, runMs: 5 };
const refused: TaskEvent = { type: 'attempt.failed', failure: refusal, runMs: 5 };
const stopped: TaskEvent = { type: 'attempt.stopped', runMs: 5 };
const rejected: TaskEvent = { type: 'attempt.rejected', failure: rejection };
const lost: TaskEvent = { type: 'node.lost', failure: crash };
const [started, cancel, deadline, grace, due, stored, superseded] = (
  [
    'attempt.started',
    'task.cancel',
    'deadline.passed',
    'grace.passed',
    'task.due',
    'outcome.stored',
    'task.superseded',
  ] as const
).map((type): TaskEvent => ({ type })) as [TaskEvent, TaskEvent, TaskEvent, TaskEvent, TaskEvent, TaskEvent, TaskEvent];

const assign: TaskCommand = { type: 'attempt.assign', nodeId: 'n1', attempt: 1 };
const withdraw = (reason: 'cancelled' | 'timeout' | 'withdrawn'): TaskCommand[] => [
  { type: 'attempt.withdraw', nodeId: 'n1', attempt: 1, reason },
  { type: 'deadline.set', span: 'grace' },
];
const settle = (given: Partial<Extract<TaskCommand, { type: 'task.settle' }>>): TaskCommand => ({
  type: 'task.settle',
  status: 'completed',
  attempt: 1,
  nodeId: 'n1',
  result: null,
  failure: null,
  runMs: 0,
  ...given,
});
const release = (given: Partial<Extract<TaskCommand, { type: 'task.release' }>>): TaskCommand => ({
  type: 'task.release',
  attempt: 1,
  costs: 'nothing',
  failures: 0,
  failure: null,
  nodeId: 'n1',
  ...given,
});
const completed = settle({ result, runMs: 5 });
const cancelled = settle({ status: 'cancelled', failure: expect.objectContaining({ code: 'TASK_CANCELLED' }) });
const timedOut = expect.objectContaining({ code: 'TASK_TIMED_OUT', retryable: true });

type Row = readonly [title: string, events: readonly TaskEvent[], value: string, commands: readonly TaskCommand[]];

/** Each row: what happens, where the task then is, and the commands that the last event led to. */
function table(rows: readonly Row[], input: Partial<TaskInput> = {}): void {
  it.each(rows)('%s', (_title, events, value, commands) => {
    const end = play(taskMachine, aTask(input), events);
    expect(end.value).toBe(value);
    expect(end.commands).toEqual(commands);
  });
}

describe('a task on its way', () => {
  table([
    ['waits to be placed', [], 'pending', []],
    ['is sent to its node as soon as it is placed', [placed()], 'assigned', [assign]],
    [
      'runs against its time once the node says so',
      [placed(), started],
      'running',
      [{ type: 'deadline.set', span: 'run' }],
    ],
    ['is not completed before the store has the outcome', [placed(), started, succeeded], 'settling', [completed]],
    ['is completed once the store has it', [placed(), started, succeeded, stored], 'completed', []],
    ['may end before its node said that it started', [placed(), succeeded], 'settling', [completed]],
    [
      'can be taken over while it runs, without being sent again',
      [{ type: 'task.adopted', nodeId: 'n1', attempt: 1 }],
      'running',
      [{ type: 'deadline.set', span: 'run' }],
    ],
    ['gives way to whoever else holds it', [placed(), started, superseded], 'superseded', []],
    ['gives way even while its outcome is being stored', [placed(), succeeded, superseded], 'superseded', []],
  ]);

  it('waits for its time first when it has one', () => {
    expect(play(taskMachine, aTask({ isDelayed: true })).value).toBe('delayed');
    expect(play(taskMachine, aTask({ isDelayed: true }), [due]).value).toBe('pending');
  });

  it('keeps the outcome that came first: nothing after it changes anything', () => {
    for (const late of [succeeded, failed, stopped, rejected, lost, cancel, deadline, grace, started, placed(2)]) {
      const end = play(taskMachine, aTask(), [placed(), started, succeeded, late]);
      expect(end.value).toBe('settling');
      expect(end.commands).toEqual([]);
    }
  });
});

describe('a task that is cancelled', () => {
  table([
    ['is settled at once while it waits', [cancel], 'settling', [{ ...cancelled, attempt: 0, nodeId: null }]],
    ['has its assignment withdrawn', [placed(), cancel], 'cancelling', withdraw('cancelled')],
    [
      'tells its node to stop, and stays until the work has ended (#33, #63)',
      [placed(), started, cancel],
      'cancelling',
      withdraw('cancelled'),
    ],
    ['does not tell the node twice', [placed(), started, cancel, cancel], 'cancelling', []],
    ['is cancelled when the node says that it stopped', [placed(), started, cancel, stopped], 'settling', [cancelled]],
    ['is cancelled when the work fails instead', [placed(), started, cancel, failed], 'settling', [cancelled]],
    ['is cancelled when the node refuses it', [placed(), cancel, rejected], 'settling', [cancelled]],
    ['is cancelled when the node is lost', [placed(), started, cancel, lost], 'settling', [cancelled]],
    ['is cancelled when the grace has passed', [placed(), started, cancel, grace], 'settling', [cancelled]],
    ['is completed when its result was faster', [placed(), started, cancel, succeeded], 'settling', [completed]],
    ['is completed for good then', [placed(), started, cancel, succeeded, stored], 'completed', []],
    ['ends as cancelled', [placed(), started, cancel, stopped, stored], 'cancelled', []],
    [
      'is cancelled although its time ran out first',
      [placed(), started, deadline, cancel, stopped],
      'settling',
      [cancelled],
    ],
    [
      'is cancelled although its time runs out afterwards',
      [placed(), started, cancel, deadline, grace],
      'settling',
      [cancelled],
    ],
    [
      'is cancelled between two attempts',
      [placed(), started, failed, cancel],
      'settling',
      [expect.objectContaining({ type: 'task.settle', status: 'cancelled' })],
    ],
  ]);
});

describe('a task whose attempt takes too long', () => {
  const overdue = [placed(), started, deadline];
  table([
    ['tells its node to stop before it is tried again (#33)', overdue, 'cancelling', withdraw('timeout')],
    [
      'is tried again only after the old attempt has ended',
      [...overdue, stopped],
      'delayed',
      [release({ costs: 'failure', failures: 1, failure: timedOut })],
    ],
    [
      'is tried again when the grace has passed',
      [...overdue, grace],
      'delayed',
      [release({ costs: 'failure', failures: 1, failure: timedOut })],
    ],
    [
      'counts one failure, however the attempt ended',
      [...overdue, refused],
      'delayed',
      [release({ costs: 'failure', failures: 1, failure: timedOut })],
    ],
    ['is completed when its result was on the way', [...overdue, succeeded], 'settling', [completed]],
    [
      'is placed anew with the next attempt',
      [...overdue, stopped, due, placed(2, 'n2')],
      'assigned',
      [{ type: 'attempt.assign', nodeId: 'n2', attempt: 2 }],
    ],
    [
      'fails when it has no attempt left',
      [...overdue, stopped, due, placed(2), started, deadline, stopped],
      'settling',
      [settle({ status: 'failed', attempt: 2, failure: timedOut })],
    ],
  ]);
});

describe('a task whose handler fails', () => {
  table([
    [
      'is tried again after a while (#37)',
      [placed(), started, failed],
      'delayed',
      [release({ costs: 'failure', failures: 1, failure })],
    ],
    [
      'is not stopped by a failure that comes before the start',
      [placed(), failed],
      'delayed',
      [release({ costs: 'failure', failures: 1, failure })],
    ],
    [
      'fails with its last error after the last attempt (#36)',
      [placed(), started, failed, due, placed(2), started, failed],
      'settling',
      [settle({ status: 'failed', attempt: 2, failure })],
    ],
    [
      'fails at once when another try is pointless',
      [placed(), started, refused],
      'settling',
      [settle({ status: 'failed', failure: refusal })],
    ],
    ['ends as failed', [placed(), started, refused, stored], 'failed', []],
  ]);

  it('remembers the failures of before it was loaded from the store', () => {
    const end = play(taskMachine, aTask({ attempt: 4, failures: 1 }), [placed(5), started, failed]);
    expect(end.commands).toEqual([settle({ status: 'failed', attempt: 5, failure })]);
  });
});

describe('a report that comes when its attempt no longer holds the task', () => {
  const late = [succeeded, failed, stopped, rejected, lost, started, deadline, grace];

  it('changes nothing while the task waits for its next attempt (#35)', () => {
    for (const event of late) {
      for (const waiting of [
        [placed(), started, failed],
        [placed(), started, failed, due],
        [placed(), started, lost],
      ]) {
        const before = play(taskMachine, aTask(), waiting);
        const after = play(taskMachine, aTask(), [...waiting, event]);
        expect([after.value, after.snapshot.context, after.commands]).toEqual([
          before.value,
          before.snapshot.context,
          [],
        ]);
      }
    }
  });
});

describe('a task whose node is lost', () => {
  table([
    [
      'waits again at once while it was assigned (#29)',
      [placed(), lost],
      'pending',
      [release({ costs: 'crash', failure: crash })],
    ],
    [
      'waits again at once while it was running (#14)',
      [placed(), started, lost],
      'pending',
      [release({ costs: 'crash', failure: crash })],
    ],
    [
      'costs no attempt of its handler',
      [placed(), lost, placed(2), started, failed],
      'delayed',
      [release({ attempt: 2, costs: 'failure', failures: 1, failure })],
    ],
    [
      'is not run for ever: it fails after too many (#36)',
      [placed(), started, lost, placed(2), started, lost],
      'settling',
      [settle({ status: 'failed', attempt: 2, failure: crash, costs: 'crash' })],
    ],
    ['is not concerned while it waits', [lost], 'pending', []],
    [
      'is tried again when it had been told to stop for its time',
      [placed(), started, deadline, lost],
      'delayed',
      [release({ costs: 'failure', failures: 1, failure: timedOut })],
    ],
  ]);
});

describe('an assignment that came to nothing', () => {
  const undelivered = [placed(), deadline];
  table([
    ['is withdrawn when its node does not answer', undelivered, 'cancelling', withdraw('withdrawn')],
    ['costs nothing when it is withdrawn', [...undelivered, stopped], 'delayed', [release({})]],
    ['costs nothing when the node is lost meanwhile', [...undelivered, lost], 'delayed', [release({})]],
    ['costs nothing when nobody answers', [...undelivered, grace], 'delayed', [release({})]],
    [
      'costs nothing when the node refuses it, and says why (#30)',
      [placed(), rejected],
      'delayed',
      [release({ failure: rejection })],
    ],
    ['costs nothing when the node hands it back', [placed(), stopped], 'delayed', [release({})]],
    ['costs nothing when the node hands it back while it runs', [placed(), started, stopped], 'delayed', [release({})]],
    ['still counts when the node did the work after all', [...undelivered, succeeded], 'settling', [completed]],
    ['does not come to life again when it starts late', [...undelivered, started], 'cancelling', []],
  ]);
});
