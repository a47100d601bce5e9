/**
 * Judges a run by its ledger alone, a pure function: whether what was promised held for every task, and by the histories
 * that the cluster gave, whether they can have been lived. Invariants are numbered as in the store contract.
 */
import { replayHistory } from '../../src/machines/task-replay.ts';
import type { HistoryEntry, TaskStatus } from '../../src/protocol/task.ts';
import { isOutcome } from '../../src/protocol/task-status.ts';
import type { Line } from './ledger.ts';

export interface Violation {
  readonly rule: Rule;
  readonly taskId: string | null;
  readonly says: string;
}

/** What is judged. */
export const RULES = {
  lost: 'I1: what was acknowledged is there, and has an outcome',
  untold: 'I1: whoever submitted it was told how it ended',
  fenced: 'I2, I3: an attempt is begun once',
  accepted: 'I4: one outcome, and everybody is told the same',
  stale: 'I5: the result that counts is that of the attempt that held the task',
  replayed: 'I6: the history can have been lived, and ends where the task is',
  late: 'I8: it settles in time',
  ended: 'nothing ends otherwise than its handler did',
  again: 'little is executed again',
} as const;
export type Rule = keyof typeof RULES;

export interface Terms {
  /**
   * How long, once all is healed, an attempt may take, a task that waits again may wait, and an outcome may take to reach
   * the client. How long a task waits for its first turn is a matter of how much is before it.
   */
  readonly settledWithinMs: number;
  /** The share of acknowledged tasks that may be executed again. */
  readonly againShareMax: number;
}

export interface Verdict {
  readonly totals: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  /** From a gateway’s kill until another one had its attempts. */
  readonly adoption: Waits;
  /** The same of those whose node was not stopped, and whose link nothing befell, meanwhile. */
  readonly adoptionAlone: Waits;
  /** The adoptions that took longest, with what else was the matter. */
  readonly slowest: readonly Adoption[];
  readonly violations: readonly Violation[];
}

/** How long was waited, in milliseconds. */
export interface Waits {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
}

/** One attempt that was nobody’s after its gateway had been killed. */
export interface Adoption {
  readonly node: string;
  readonly tookMs: number;
  /** Whether the kill of the gateway was the only fault that its node felt. */
  readonly isAlone: boolean;
  /** Other faults of that time, each with how long before or after the kill it began and how long it lasted. */
  readonly meanwhile: readonly string[];
}

const SLOWEST_SHOWN = 3;

type Of<Kind extends Line['kind']> = Extract<Line, { kind: Kind }>;

/** All that is known of one task. */
class Case {
  readonly settled: Of<'settled'>[] = [];
  readonly began: Of<'began'>[] = [];
  readonly ended: Of<'ended'>[] = [];
  readonly failed: Of<'failed'>[] = [];
  acknowledgedAt: number | null = null;
  found: Of<'found'> | null = null;
}

export function judge(lines: readonly Line[], terms: Terms): Verdict {
  const cases = casesOf(lines);
  const faults = lines.filter((line): line is Of<'fault'> => line.kind === 'fault');
  const healedAt = lines.find((line): line is Of<'healed'> => line.kind === 'healed')?.at ?? 0;
  const violations: Violation[] = [];
  const totals = { submitted: 0, acknowledged: 0, refused: 0, completed: 0, executions: 0, again: 0, adopted: 0 };
  for (const line of lines) {
    if (line.kind === 'submitted') totals.submitted += 1;
    if (line.kind === 'refused') totals.refused += 1;
    if (line.kind === 'began') totals.executions += 1;
  }
  for (const [taskId, one] of cases) {
    const blame = (rule: Rule, says: string): void => void violations.push({ rule, taskId, says });
    judgeRuns(one, blame);
    judgeOutcome(one, blame);
    if (one.acknowledgedAt === null) continue;
    totals.acknowledged += 1;
    totals.again += Math.max(0, one.began.length - 1 - one.failed.length);
    if (one.found?.status === 'completed') totals.completed += 1;
    totals.adopted += one.found?.history.filter(({ event }) => event === 'task.adopted').length ?? 0;
    judgeKept(one, blame);
    const longest = longestWait(one, healedAt);
    if (longest.tookMs > terms.settledWithinMs)
      blame('late', `${longest.tookMs} ms of quiet passed after ${longest.after}`);
  }
  if (totals.again > terms.againShareMax * totals.acknowledged) {
    const says = `${totals.again} executions of ${totals.acknowledged} tasks were not the first`;
    violations.push({ rule: 'again', taskId: null, says });
  }
  const adoptions = adoptionsOf(cases, faults);
  return {
    totals,
    faults: countOf(faults.map(({ fault }) => fault)),
    adoption: waitsOf(adoptions),
    adoptionAlone: waitsOf(adoptions.filter(({ isAlone }) => isAlone)),
    slowest: [...adoptions].sort((one, other) => other.tookMs - one.tookMs).slice(0, SLOWEST_SHOWN),
    violations,
  };
}

/** The longest that nothing happened to a task, since all was healed, though it was its turn. */
function longestWait({ found, settled }: Case, healedAt: number): { tookMs: number; after: string } {
  const told = settled[0] === undefined ? [] : [{ at: settled[0].at, event: 'told' }];
  const steps = [...(found?.history ?? []), ...told];
  let longest = { tookMs: 0, after: '' };
  for (const [index, { at, event }] of steps.entries()) {
    const next = steps[index + 1];
    if (next === undefined || event === 'task.submitted') continue;
    const tookMs = next.at - Math.max(at, healedAt);
    if (tookMs > longest.tookMs) longest = { tookMs, after: event };
  }
  return longest;
}

/** Each attempt is begun at most once, wherever. */
function judgeRuns({ began }: Case, blame: (rule: Rule, says: string) => void): void {
  const seen = new Map<number, string>();
  for (const { attempt, node, pid } of began) {
    const where = `${node} (${pid})`;
    const before = seen.get(attempt);
    if (before !== undefined) blame('fenced', `attempt ${attempt} was begun on ${before} and on ${where}`);
    seen.set(attempt, where);
  }
}

/** What was told of its end agrees, and comes from an execution that there was. */
function judgeOutcome({ settled, ended, found }: Case, blame: (rule: Rule, says: string) => void): void {
  const [first, ...others] = settled;
  if (first === undefined) return;
  for (const other of others) {
    if (other.status !== first.status || other.token !== first.token)
      blame('accepted', `it was told as ${wordsOf(first)}, and as ${wordsOf(other)}`);
  }
  if (first.status !== 'completed') {
    blame('ended', `it ended as ${wordsOf(first)}`);
  } else if (!ended.some(({ token }) => token === first.token)) {
    blame('accepted', `its result ${first.token} came from no execution`);
  }
  if (found !== null && isOutcome(found.status as TaskStatus)) {
    if (found.status !== first.status || found.token !== first.token)
      blame('accepted', `it was told as ${wordsOf(first)}, and is kept as ${wordsOf(found)}`);
  }
}

/** What was acknowledged is there at the end, and its history tells how it came to be what it is. */
function judgeKept({ settled, found }: Case, blame: (rule: Rule, says: string) => void): void {
  if (found === null) {
    blame('lost', 'it was acknowledged, and nobody knows it');
    return;
  }
  if (!isOutcome(found.status as TaskStatus)) blame('lost', `it is still ${found.status}`);
  else if (settled.length === 0) blame('untold', `it is ${found.status}, and its client was never told`);
  const { told, problems } = replayHistory(found.history);
  if (problems.length > 0) blame('replayed', problems.join('; '));
  // Of a task that still moves, status and history were read one after the other.
  else if (told.status !== found.status && isOutcome(found.status as TaskStatus))
    blame('replayed', `its history ends as ${told.status}, it is ${found.status}`);
  const completions = found.history.filter(({ event }) => event === 'task.completed');
  if (completions.length > 1) blame('accepted', `it completed ${completions.length} times`);
  const of = /#(\d+)@/.exec(found.token ?? '')?.[1];
  if (of !== undefined && Number(of) !== completions[0]?.attempt)
    blame('stale', `the result of attempt ${of} counted, and attempt ${completions[0]?.attempt} held the task`);
}

function casesOf(lines: readonly Line[]): Map<string, Case> {
  const cases = new Map<string, Case>();
  for (const line of lines) {
    if (line.kind === 'fault' || line.kind === 'healed') continue;
    const one = cases.get(line.taskId) ?? new Case();
    cases.set(line.taskId, one);
    if (line.kind === 'acknowledged') one.acknowledgedAt ??= line.at;
    else if (line.kind === 'found') one.found = line;
    else if (line.kind === 'settled') one.settled.push(line);
    else if (line.kind === 'began') one.began.push(line as Of<'began'>);
    else if (line.kind === 'failed') one.failed.push(line as Of<'failed'>);
    else if (line.kind === 'ended') one.ended.push(line);
  }
  return cases;
}

/** How long attempts were nobody’s after their gateway had been killed. */
function adoptionsOf(cases: ReadonlyMap<string, Case>, faults: readonly Of<'fault'>[]): readonly Adoption[] {
  const kills = faults.filter(({ fault }) => fault === 'gateway killed');
  const adoptions: Adoption[] = [];
  for (const { found } of cases.values()) {
    const history = found?.history ?? [];
    for (const [index, entry] of history.entries()) {
      if (entry.event !== 'task.adopted') continue;
      const holder = ownerBefore(history, index);
      const since = history[index - 1]?.at ?? 0;
      const kill = kills.findLast(({ victim, at }) => victim === holder && at >= since && at <= entry.at);
      if (kill === undefined) continue;
      const others = faults.filter((one) => one !== kill && one.at <= entry.at && one.at + one.lastsMs >= kill.at);
      adoptions.push({
        node: entry.node ?? '',
        tookMs: entry.at - kill.at,
        isAlone: !others.some(({ victim }) => victim === entry.node),
        meanwhile: others.map((one) => wordsOfFault(one, kill.at)),
      });
    }
  }
  return adoptions;
}

function wordsOfFault({ victim, fault, at, lastsMs }: Of<'fault'>, killAt: number): string {
  const when = at <= killAt ? `${killAt - at} ms before` : `${at - killAt} ms after`;
  return `${victim}: ${fault} ${when}, for ${lastsMs} ms`;
}

function waitsOf(adoptions: readonly Adoption[]): Waits {
  const waits = adoptions.map(({ tookMs }) => tookMs).sort((one, other) => one - other);
  const quantile = (share: number): number => waits[Math.min(waits.length - 1, Math.floor(waits.length * share))] ?? 0;
  return { count: waits.length, p50: quantile(0.5), p99: quantile(0.99) };
}

function ownerBefore(history: readonly HistoryEntry[], index: number): string | undefined {
  return history[index - 1]?.gateway?.replace(/:[^:]*$/, '');
}

function countOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function wordsOf({ status, token, ...more }: Of<'settled'> | Of<'found'>): string {
  const code = 'code' in more && more.code !== null ? ` (${more.code})` : '';
  return `${status}${code}${token === null ? '' : ` with ${token}`}`;
}
