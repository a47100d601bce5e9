import { describe, expect, it } from 'vitest';
import { contradictions, replayHistory, type Told } from '../../src/machines/task-replay.ts';
import type { HistoryEntry, TaskStatus } from '../../src/protocol/task.ts';

type Brief = readonly [event: string, attempt?: number, detail?: string];

/** What an attempt’s entries have: who held the task. */
const HELD = /^(task\.(claimed|assigned|adopted)|attempt\.|task\.completed)/;

function historyOf(...briefs: readonly (Brief | Partial<HistoryEntry>)[]): HistoryEntry[] {
  return briefs.map((brief, index): HistoryEntry => {
    if (!('length' in brief)) return { n: index + 1, at: index, event: '', attempt: 0, ...brief };
    const [event, attempt = 0, detail] = brief;
    const held = HELD.test(event) || (event === 'task.failed' && detail?.includes(': ')) ? { gateway: 'gw' } : {};
    const node = held.gateway !== undefined && event !== 'task.claimed' ? { node: 'n1' } : {};
    return { n: index + 1, at: index, event, attempt, ...held, ...node, ...(detail === undefined ? {} : { detail }) };
  });
}

const valuesOf = (history: readonly HistoryEntry[], options = {}): string[] =>
  replayHistory(history, options).turns.map(({ value }) => value);

const submitted: Brief = ['task.submitted'];
const claimed: Brief = ['task.claimed', 1];
const started: Brief = ['attempt.started', 1];
const cancel: Brief = ['cancel.requested', 1];

describe('a history that was lived', () => {
  const lives: readonly [title: string, entries: readonly Brief[], values: readonly string[], told: Partial<Told>][] = [
    ['waits', [submitted], ['pending'], { status: 'pending', attempt: 0 }],
    [
      'completes',
      [submitted, claimed, ['task.assigned', 1], started, ['task.completed', 1]],
      ['pending', 'assigned', 'assigned', 'running', 'completed'],
      { status: 'completed', attempt: 1, failures: 0 },
    ],
    [
      'completes although no note of it came through',
      [submitted, claimed, ['attempt.started', 1, 'told by its result, 7 ms later'], ['task.completed', 1]],
      ['pending', 'assigned', 'running', 'completed'],
      { status: 'completed' },
    ],
    [
      'waits for its time, fails, waits again and fails for good',
      [
        ['task.submitted', 0, 'waits 100 ms'],
        ['task.due'],
        claimed,
        started,
        ['attempt.released', 1, 'failure: HANDLER_FAILED; waits 100 ms'],
        ['task.due', 1],
        ['task.claimed', 2],
        ['task.failed', 2, 'failure: HANDLER_FAILED'],
      ],
      ['delayed', 'pending', 'assigned', 'running', 'delayed', 'pending', 'assigned', 'failed'],
      { status: 'failed', attempt: 2, failures: 2, crashes: 0 },
    ],
    [
      'loses one node, then the last it may lose',
      [
        submitted,
        claimed,
        ['attempt.released', 1, 'crash: NODE_LOST'],
        ['task.claimed', 2],
        ['task.failed', 2, 'crash: NODE_LOST'],
      ],
      ['pending', 'assigned', 'pending', 'assigned', 'failed'],
      { status: 'failed', failures: 0, crashes: 2 },
    ],
    [
      'is given back at no cost, with and without a wait',
      [
        submitted,
        claimed,
        ['attempt.released', 1, 'nothing: UNDELIVERED; waits 100 ms'],
        ['task.due', 1],
        ['task.claimed', 2],
        ['attempt.released', 2, 'nothing'],
        ['task.claimed', 3],
      ],
      ['pending', 'assigned', 'delayed', 'pending', 'assigned', 'pending', 'assigned'],
      { status: 'assigned', attempt: 3, failures: 0 },
    ],
    [
      'is cancelled while it waits',
      [submitted, ['cancel.requested'], ['task.cancelled']],
      ['pending', 'settling', 'cancelled'],
      { status: 'cancelled' },
    ],
    [
      'is cancelled while it runs',
      [submitted, claimed, started, cancel, ['task.cancelled', 1]],
      ['pending', 'assigned', 'running', 'cancelling', 'cancelled'],
      { status: 'cancelled' },
    ],
    [
      'is cancelled as its gateway dies',
      [submitted, claimed, cancel, ['attempt.released', 1, 'crash: FENCED'], ['task.cancelled', 1]],
      ['pending', 'assigned', 'cancelling', 'settling', 'cancelled'],
      { status: 'cancelled', crashes: 1 },
    ],
    [
      'completes before it can be cancelled',
      [submitted, claimed, started, cancel, ['task.completed', 1]],
      ['pending', 'assigned', 'running', 'cancelling', 'completed'],
      { status: 'completed' },
    ],
    [
      'fails before it can be cancelled',
      [submitted, claimed, started, cancel, ['task.failed', 1, 'failure: HANDLER_REFUSED']],
      ['pending', 'assigned', 'running', 'cancelling', 'failed'],
      { status: 'failed', failures: 1 },
    ],
    [
      'expires where it waits',
      [submitted, ['task.expired', 0, 'TASK_EXPIRED'], ['task.failed', 0, 'TASK_EXPIRED']],
      ['pending', 'pending', 'failed'],
      { status: 'failed', failures: 0 },
    ],
    [
      'expires as it is given back',
      [
        submitted,
        claimed,
        ['attempt.released', 1, 'failure: HANDLER_FAILED'],
        ['task.expired', 1, 'DEADLINE_PASSED'],
        ['task.failed', 1, 'DEADLINE_PASSED'],
      ],
      ['pending', 'assigned', 'pending', 'pending', 'failed'],
      { status: 'failed', failures: 1 },
    ],
    [
      'fails with what it depends on',
      [
        ['task.submitted', 0, 'waits for 2 tasks'],
        ['dependency.settled', 0, 't0: failed'],
        ['task.failed', 0, 'DEPENDENCY_FAILED'],
      ],
      ['delayed', 'delayed', 'failed'],
      { status: 'failed' },
    ],
    [
      'is redriven, with nothing on its account',
      [
        submitted,
        claimed,
        ['task.failed', 1, 'failure: HANDLER_REFUSED'],
        ['task.redriven', 1],
        ['task.claimed', 2],
        ['task.completed', 2],
      ],
      ['pending', 'assigned', 'failed', 'pending', 'assigned', 'completed'],
      { status: 'completed', attempt: 2, failures: 0 },
    ],
    [
      'is taken over by another gateway, which has to cancel it',
      [submitted, claimed, ['task.adopted', 1], cancel, ['task.adopted', 1], ['task.cancelled', 1]],
      ['pending', 'assigned', 'running', 'cancelling', 'cancelling', 'cancelled'],
      { status: 'cancelled', attempt: 1 },
    ],
  ];

  it.each(lives)('%s', (_title, entries, values, told) => {
    const replay = replayHistory(historyOf(...entries));
    expect(replay.problems).toEqual([]);
    expect(replay.turns.map(({ value }) => value)).toEqual(values);
    expect(replay.told).toMatchObject(told);
    expect(replay.isWhole).toBe(true);
  });

  it('names the node and what may happen next', () => {
    const history = historyOf(submitted, claimed, ['task.assigned', 1]);
    const [waiting, taken, sent] = replayHistory(history).turns;
    const next = ['task.adopted', 'task.cancel', 'task.lapsed', 'task.placed', 'task.superseded'];
    expect([...(waiting?.takes ?? [])].sort()).toEqual(next);
    expect(taken).toMatchObject({ events: ['task.placed'], context: { nodeId: 'n1', attempt: 1 } });
    expect(sent).toMatchObject({ events: [], value: 'assigned' });
    // As far as the history had come then, nobody knew.
    expect(replayHistory(history.slice(0, 2)).turns[1]?.context.nodeId).toBe('');
  });

  it('is adopted before it was known to run: its record does not say running', () => {
    const replay = replayHistory(historyOf(submitted, claimed, ['task.adopted', 1]));
    expect(replay.turns.at(-1)?.value).toBe('running');
    expect(replay.told.status).toBe('assigned');
  });
});

describe('a history that cannot have been lived', () => {
  const impossible: readonly [title: string, entries: readonly (Brief | Partial<HistoryEntry>)[], problem: RegExp][] = [
    ['begins with something else', [claimed], /task\.claimed: it is entry 1/],
    ['is submitted twice', [submitted, submitted], /task\.submitted: it is entry 2/],
    ['completes twice', [submitted, claimed, ['task.completed', 1], ['task.completed', 1]], /completed does not take/],
    ['completes where it waits', [submitted, ['task.completed']], /pending does not take attempt\.succeeded/],
    ['skips an attempt', [submitted, ['task.claimed', 2]], /names attempt 2, and attempt 1 was next/],
    ['is claimed while it is held', [submitted, claimed, ['task.claimed', 2]], /assigned does not take task\.placed/],
    ['tells of an older attempt', [submitted, claimed, ['task.completed', 0]], /names attempt 0/],
    ['is cancelled and nobody asked', [submitted, claimed, ['task.cancelled', 1]], /does not take outcome\.stored/],
    ['is due and does not wait for a time', [submitted, ['task.due']], /pending does not take task\.due/],
    ['has what nobody knows', [submitted, ['task.exploded']], /does not know it/],
    ['goes back', [submitted, { ...historyOf(submitted, claimed)[1], n: 1 }], /comes after entry 1/],
  ];

  it.each(impossible)('%s', (_title, entries, problem) => {
    expect(replayHistory(historyOf(...entries)).problems[0]).toMatch(problem);
  });

  it('gives a task another attempt that had none left', () => {
    const history = historyOf(submitted, claimed, ['attempt.released', 1, 'failure: HANDLER_FAILED; waits 9 ms']);
    expect(replayHistory(history, { attemptsMax: 2 }).problems).toEqual([]);
    expect(replayHistory(history, { attemptsMax: 1 }).problems).toEqual([
      'entry 3, attempt.released: the task waits again, and it had no attempts left',
    ]);
  });

  it('says otherwise than its record', () => {
    const replay = replayHistory(historyOf(submitted, claimed, started));
    const record: Told = { status: 'running', attempt: 1, failures: 0, crashes: 0 };
    expect(contradictions(record, replay)).toEqual([]);
    expect(contradictions({ ...record, status: 'pending' }, replay)).toEqual([
      'the record has status pending, its history tells running',
    ]);
    expect(contradictions({ ...record, attempt: 2, failures: 1, crashes: 1 }, replay)).toHaveLength(3);
  });
});

describe('a history with gaps', () => {
  const whole = historyOf(
    submitted,
    claimed,
    ['attempt.released', 1, 'failure: HANDLER_FAILED; waits 100 ms'],
    ['task.due', 1],
    ['task.claimed', 2],
    ['attempt.started', 2],
    cancelOf(2),
    ['task.cancelled', 2],
  );
  const record: Told = { status: 'cancelled', attempt: 2, failures: 1, crashes: 0 };

  it.each([2, 3, 4, 5, 6, 7])('goes on after the first %i were forgotten, and leaves open what was counted', (left) => {
    const replay = replayHistory(whole.slice(left));
    expect(replay.problems).toEqual([]);
    expect(replay.isWhole).toBe(false);
    expect(contradictions(record, replay)).toEqual([]);
  });

  /** A history of which but the first entry and the last ones were forgotten. */
  const shortened = (...entries: readonly Brief[]): HistoryEntry[] => {
    const [first, , , ...rest] = historyOf(submitted, submitted, submitted, ...entries);
    return first === undefined ? [] : [first, ...rest];
  };

  it.each(['task.adopted', 'task.assigned', 'attempt.started'])('leaves open what no entry before %s says', (event) => {
    const replay = replayHistory(shortened([event, 1]));
    const waiting: Told = { status: 'pending', attempt: 1, failures: 0, crashes: 0 };
    expect(replay.problems).toEqual([]);
    for (const status of ['running', 'cancelling'] as const) {
      expect(contradictions({ ...waiting, status }, replay)).toEqual([]);
    }
    expect(contradictions(waiting, replay)).toHaveLength(1);
    const isStartTold = event === 'attempt.started';
    expect(contradictions({ ...waiting, status: 'assigned' }, replay)).toHaveLength(isStartTold ? 1 : 0);
  });

  it.each<readonly [TaskStatus, readonly Brief[]]>([
    ['delayed', [['dependency.settled', 0, 't1: completed']]],
    ['pending', [['dependency.settled', 0, 't1: completed'], ['task.due']]],
    [
      'failed',
      [
        ['dependency.settled', 0, 't1: failed'],
        ['task.failed', 0, 'DEPENDENCY_FAILED'],
      ],
    ],
    [
      'cancelled',
      [
        ['task.adopted', 1],
        ['attempt.released', 1, 'failure: HANDLER_FAILED'],
        ['task.cancelled', 1],
      ],
    ],
    ['cancelled', [started, ['task.cancelled', 1]]],
    ['cancelled', [['attempt.released', 1, 'nothing'], cancel, ['task.cancelled', 1]]],
    ['completed', [started, cancel, ['task.completed', 1]]],
  ])('goes on in the middle of what happened: %s', (status, entries) => {
    const replay = replayHistory(shortened(...entries));
    expect(replay.problems).toEqual([]);
    expect(replay.statuses).toEqual([status]);
  });

  it('still sees a wrong end', () => {
    const replay = replayHistory([...whole.slice(0, 1), ...whole.slice(5)]);
    expect(contradictions({ ...record, status: 'completed' }, replay)).toHaveLength(1);
    expect(valuesOf(whole.slice(5))).toEqual(['running', 'cancelling', 'cancelled']);
  });
});

function cancelOf(attempt: number): Brief {
  return ['cancel.requested', attempt];
}
