import { describe, expect, it } from 'vitest';
import {
  type AttemptCommand,
  type AttemptEvent,
  type AttemptStop,
  attemptMachine,
  type ReportStatus,
} from '../../src/machines/attempt.ts';
import { play, playAll } from '../support/chart.ts';
import { failure, result } from '../support/reach.ts';

const returned: AttemptEvent = { type: 'handler.returned', result };
const threw: AttemptEvent = { type: 'handler.threw', failure };
const [started, cancel, drop, halt, deadline, grace, acknowledged, withdraw] = (
  [
    'handler.started',
    'attempt.cancel',
    'attempt.drop',
    'node.stop',
    'deadline.passed',
    'grace.passed',
    'report.acknowledged',
    'attempt.withdraw',
  ] as const
).map((type): AttemptEvent => ({ type })) as [
  AttemptEvent,
  AttemptEvent,
  AttemptEvent,
  AttemptEvent,
  AttemptEvent,
  AttemptEvent,
  AttemptEvent,
  AttemptEvent,
];

const free: AttemptCommand = { type: 'slot.free' };
const ended: AttemptCommand = { type: 'report.ended' };
const abort = (reason: AttemptStop): AttemptCommand => ({ type: 'handler.abort', reason });
const report = (
  status: ReportStatus,
  given: Partial<Extract<AttemptCommand, { type: 'report.result' }>> = {},
): AttemptCommand => ({
  type: 'report.result',
  status,
  result: null,
  failure: null,
  isOverdue: false,
  ...given,
});

type Row = readonly [
  title: string,
  events: readonly AttemptEvent[],
  value: string,
  commands: readonly AttemptCommand[],
];

function table(rows: readonly Row[]): void {
  it.each(rows)('%s', (_title, events, value, commands) => {
    const end = play(attemptMachine, undefined, events);
    expect(end.value).toBe(value);
    expect(end.commands).toEqual(commands);
  });
}

describe('an attempt', () => {
  table([
    ['has its slot from the start', [], 'received', []],
    ['says that it started', [started], 'running', [{ type: 'report.started' }]],
    [
      'frees its slot and reports what the handler returned',
      [started, returned],
      'reporting',
      [free, report('success', { result })],
    ],
    [
      'frees its slot and reports what the handler threw',
      [started, threw],
      'reporting',
      [free, report('failed', { failure })],
    ],
    ['reports a handler that could not even be called', [threw], 'reporting', [free, report('failed', { failure })]],
    ['is over once its report is acknowledged (#60)', [started, returned, acknowledged], 'settled', []],
    ['keeps its report until then, whatever else it is told (#59)', [started, returned, cancel], 'reporting', []],
    ['lets go of its report when it is dropped', [started, returned, drop], 'settled', []],
  ]);
});

describe('an attempt that is told to stop', () => {
  const cancelling = [started, cancel];
  table([
    ['is over at once when nothing runs yet', [cancel], 'reporting', [free, report('cancelled')]],
    ['times out before it began', [deadline], 'reporting', [free, report('timeout')]],
    ['aborts its handler and keeps its slot (#33, #63)', cancelling, 'cancelling', [abort('cancelled')]],
    ['aborts when another one has the task by now', [started, withdraw], 'cancelling', [abort('withdrawn')]],
    ['is over at once when it is withdrawn before it began', [withdraw], 'reporting', [free, report('cancelled')]],
    [
      'and reports no more than that it was stopped',
      [started, withdraw, threw],
      'reporting',
      [free, report('cancelled')],
    ],
    ['does not abort twice', [...cancelling, deadline], 'cancelling', []],
    ['frees the slot when the handler has thrown', [...cancelling, threw], 'reporting', [free, report('cancelled')]],
    [
      'reports a stop even when the handler returned late',
      [...cancelling, returned],
      'reporting',
      [free, report('cancelled')],
    ],
    ['aborts when its time is over', [started, deadline], 'cancelling', [abort('timeout')]],
    ['is handed back when its node stops before it began', [halt], 'reporting', [free, report('cancelled')]],
    ['aborts when its node stops, and says so', [started, halt], 'cancelling', [abort('stopped')]],
    ['is handed back when it then ends', [started, halt, threw], 'reporting', [free, report('cancelled')]],
    ['keeps the reason of a cancel when its node stops then', [...cancelling, halt], 'cancelling', []],
    [
      'reports timeout, never just failed (#5, #45)',
      [started, deadline, threw],
      'reporting',
      [free, report('timeout')],
    ],
    [
      'reports the first reason: a cancel after the deadline changes nothing',
      [started, deadline, cancel, threw],
      'reporting',
      [free, report('timeout')],
    ],
  ]);
});

describe('an attempt whose handler does not stop', () => {
  const overdue = [started, cancel, grace];
  table([
    ['is reported as overdue and keeps its slot (#63)', overdue, 'overdue', [report('cancelled', { isOverdue: true })]],
    [
      'is reported with the reason it was stopped for',
      [started, deadline, grace],
      'overdue',
      [report('timeout', { isOverdue: true })],
    ],
    ['frees its slot and says that it ended when it does', [...overdue, returned], 'reporting', [free, ended]],
    ['does so when the handler throws at last', [...overdue, threw], 'reporting', [free, ended]],
    ['does not report its end to a gateway that has dropped it', [...overdue, drop, returned], 'settled', [free]],
    ['does not report what it throws to a gateway that has dropped it', [...overdue, drop, threw], 'settled', [free]],
    ['keeps its slot when it is dropped meanwhile', [...overdue, drop], 'overdue', []],
  ]);
});

describe('an attempt that is not wanted any more', () => {
  table([
    ['frees its slot at once when nothing runs yet', [drop], 'settled', [free]],
    ['aborts its handler', [started, drop], 'cancelling', [abort('dropped')]],
    ['frees its slot without a report when the handler ends', [started, drop, returned], 'settled', [free]],
    ['keeps its slot, unreported, when the handler does not end', [started, drop, grace], 'overdue', []],
    ['frees its slot without a report when it ends after all', [started, drop, grace, threw], 'settled', [free]],
    ['reports nothing when it had been cancelled before', [started, cancel, drop, threw], 'settled', [free]],
  ]);

  it('never frees a slot under a handler that runs (#63)', () => {
    for (const stop of [cancel, drop, halt, deadline]) {
      const turns = playAll(attemptMachine, undefined, [started, stop, grace, stop]);
      expect(turns.flatMap(({ commands }) => commands)).not.toContainEqual(free);
    }
  });
});
