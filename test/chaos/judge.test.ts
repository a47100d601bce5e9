import { describe, expect, it } from 'vitest';
import type { HistoryEntry } from '../../src/protocol/task.ts';
import { judge, type Rule } from './judge.ts';
import type { Line } from './ledger.ts';

const TERMS = { settledWithinMs: 1_000, againShareMax: 0.01 };
const TOKEN = 't1#1@n1:x';

function historyOf(...events: readonly (readonly [event: string, attempt: number, gateway?: string, at?: number])[]) {
  return events.map(([event, attempt, gateway, at], index): HistoryEntry => {
    const node = gateway === undefined || event === 'task.claimed' ? {} : { node: 'n1' };
    return { n: index + 1, at: at ?? index, event, attempt, ...node, ...(gateway === undefined ? {} : { gateway }) };
  });
}

const LIVED = historyOf(['task.submitted', 0], ['task.claimed', 1, 'g1:a'], ['task.completed', 1, 'g1:a']);
const run = { at: 3, taskId: 't1', attempt: 1, node: 'n1', pid: 1 } as const;

/** A task that was submitted, run once and settled. */
const WELL: Readonly<Record<string, Line>> = {
  submitted: { kind: 'submitted', at: 1, taskId: 't1' },
  acknowledged: { kind: 'acknowledged', at: 2, taskId: 't1' },
  began: { ...run, kind: 'began' },
  ended: { ...run, kind: 'ended', token: TOKEN },
  settled: { kind: 'settled', at: 5, taskId: 't1', status: 'completed', token: TOKEN, code: null },
  found: { kind: 'found', taskId: 't1', status: 'completed', token: TOKEN, history: LIVED },
};

/** The ledger of that task, doctored: lines by name are replaced, or dropped with null; others are added. */
function rulesOf(changes: Readonly<Record<string, object | null>>, terms = TERMS): Rule[] {
  const lines = Object.entries({ ...WELL, ...changes }).flatMap(([name, change]) =>
    change === null ? [] : [{ ...WELL[name], ...change } as Line],
  );
  return judge(lines, terms).violations.map(({ rule }) => rule);
}

describe('the judge', () => {
  it('has nothing to say of a run that was well', () => {
    const { violations, totals } = judge(Object.values(WELL), TERMS);
    expect(violations).toEqual([]);
    expect(totals).toMatchObject({ submitted: 1, acknowledged: 1, completed: 1, executions: 1, again: 0, adopted: 0 });
  });

  it('asks nothing of what was not acknowledged', () => {
    expect(rulesOf({ acknowledged: null, began: null, ended: null, settled: null, found: null })).toEqual([]);
  });

  const planted: readonly [title: string, changes: Readonly<Record<string, object | null>>, rules: Rule[]][] = [
    ['a task that nobody knows any more', { found: null }, ['lost']],
    [
      'a task that never ended',
      { settled: null, found: { status: 'assigned', token: null, history: LIVED.slice(0, 2) } },
      ['lost'],
    ],
    ['an outcome that its client never heard of', { settled: null }, ['untold']],
    ['a result that no handler wrote down', { ended: null }, ['accepted']],
    ['two results that were both told', { again: { ...WELL['settled'], token: 't1#1@n2:y' } }, ['accepted']],
    ['another result kept than told', { found: { token: 't1#1@n2:y' } }, ['accepted']],
    [
      'another outcome kept than told',
      { found: { status: 'failed', history: historyOf(['task.submitted', 0], ['task.failed', 0]) } },
      ['accepted', 'stale'],
    ],
    [
      'an attempt that was begun on two nodes',
      { twin: { ...run, kind: 'began', node: 'n2', pid: 2 } },
      ['fenced', 'again'],
    ],
    [
      'the result of an attempt that had lost the task',
      { ended: { token: 't1#2@n1:x' }, settled: { token: 't1#2@n1:x' }, found: { token: 't1#2@n1:x' } },
      ['stale'],
    ],
    [
      'a result that was accepted twice',
      { found: { history: [...LIVED, { ...LIVED[2], n: 4 }] } },
      ['replayed', 'accepted'],
    ],
    [
      'a history that was not lived',
      {
        found: {
          history: LIVED.filter(({ event }) => event !== 'task.claimed').map((entry, index) => ({
            ...entry,
            n: index + 1,
          })),
        },
      },
      ['replayed'],
    ],
    ['a history that ends elsewhere', { found: { history: LIVED.slice(0, 2) } }, ['replayed', 'stale']],
    ['an end that comes too late', { settled: { at: 2_000 } }, ['late']],
    [
      'a failure that no handler had',
      { settled: { status: 'failed', token: null, code: 'X' }, found: null },
      ['ended', 'lost'],
    ],
  ];

  it.each(planted)('finds %s', (_title, changes, rules) => {
    expect(rulesOf(changes)).toEqual(rules);
  });

  it('counts the time from when all was healed, and not how long it waited for its first turn', () => {
    expect(rulesOf({ settled: { at: 2_000 }, healed: { kind: 'healed', at: 1_500 } })).toEqual([]);
    const late = LIVED.map((entry, index) => ({ ...entry, at: index === 0 ? 0 : 5_000 }));
    expect(rulesOf({ settled: { at: 5_001 }, found: { history: late } })).toEqual([]);
    const stuck = LIVED.map((entry, index) => ({ ...entry, at: index < 2 ? 0 : 5_000 }));
    expect(rulesOf({ settled: { at: 5_001 }, found: { history: stuck } })).toEqual(['late']);
  });

  it('does not take a failure on purpose for another execution', () => {
    const second = { ...run, attempt: 2 };
    const history = historyOf(
      ['task.submitted', 0],
      ['task.claimed', 1, 'g1:a'],
      ['attempt.released', 1, 'g1:a'],
      ['task.claimed', 2, 'g1:a'],
      ['task.completed', 2, 'g1:a'],
    );
    const released = history.map((entry) =>
      entry.event === 'attempt.released' ? { ...entry, detail: 'failure: HANDLER_FAILED' } : entry,
    );
    const token = 't1#2@n1:x';
    const changes = {
      failed: { ...run, kind: 'failed' },
      second: { ...second, kind: 'began' },
      ended: { ...second, token },
      settled: { token },
    };
    expect(rulesOf({ ...changes, found: { token, history: released } })).toEqual([]);
    expect(rulesOf({ ...changes, failed: null, found: { token, history: released } })).toEqual(['again']);
    expect(
      rulesOf({ ...changes, failed: null, found: { token, history: released } }, { ...TERMS, againShareMax: 1 }),
    ).toEqual([]);
  });

  it('measures from the kill of a gateway to when another has its attempts', () => {
    const adopted = historyOf(
      ['task.submitted', 0],
      ['task.claimed', 1, 'g1:a', 10],
      ['task.adopted', 1, 'g2:b', 270],
      ['task.completed', 1, 'g2:b', 300],
    );
    const kill: Line = { kind: 'fault', at: 100, fault: 'gateway killed', victim: 'g1', lastsMs: 0 };
    const other: Line = { kind: 'fault', at: 200, fault: 'gateway killed', victim: 'g2', lastsMs: 0 };
    const found = { ...WELL['found'], history: adopted } as Line;
    const verdict = judge([...Object.values({ ...WELL, found }), kill, other], TERMS);
    expect(verdict).toMatchObject({ adoption: { count: 1, p50: 170, p99: 170 }, faults: { 'gateway killed': 2 } });
    const meanwhile = ['g2: gateway killed 100 ms after, for 0 ms'];
    expect(verdict.slowest).toEqual([{ node: 'n1', tookMs: 170, isAlone: true, meanwhile }]);
    expect(verdict.violations).toEqual([]);
    const before: Line = { kind: 'fault', at: 0, fault: 'node stopped', victim: 'n1', lastsMs: 99 };
    const alone = (line: Line): number =>
      judge([...Object.values({ ...WELL, found }), kill, line], TERMS).adoptionAlone.count;
    expect(alone(before)).toBe(1);
    expect(alone({ ...before, lastsMs: 100 })).toBe(0);
    expect(alone({ ...before, at: 270 })).toBe(0);
    expect(alone({ ...before, at: 271 })).toBe(1);
    expect(alone({ ...before, at: 150, victim: 'n2' })).toBe(1);
  });
});
