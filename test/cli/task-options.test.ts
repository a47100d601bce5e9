import { Command, InvalidArgumentError } from 'commander';
import { describe, expect, it } from 'vitest';
import { parseLimit, submitOptionsOf, type TaskFlags, withTask, withTurn } from '../../src/cli/task-options.ts';

function flagsOf(args: readonly string[]): TaskFlags {
  const command = withTurn(withTask(new Command())).exitOverride();
  command.configureOutput({ writeErr: () => {} });
  return command.parse(args, { from: 'user' }).opts();
}

describe('the options of a task', () => {
  it('become what is submitted, every one of them', () => {
    const text =
      '--priority 2 --timeout 5s --needs llm,gpu --label zone=attic --resource gpu=1 --node n1 --prefer n2 --affinity s1 ' +
      '--attempts 4 --ttl 1m --deadline 1h --fair-key alice --limit openai,concurrency=4,per-minute=60 --key k1 --delay 2s ' +
      '--after t1,t2 --on-dependency-failure ignore';
    expect(submitOptionsOf(flagsOf(text.split(' ')))).toEqual({
      ...{ priority: 2, timeoutMs: 5_000, needs: ['llm', 'gpu'], labels: { zone: 'attic' }, resources: { gpu: 1 } },
      ...{ node: 'n1', prefer: 'n2', affinityKey: 's1', attempts: 4, ttlMs: 60_000, deadlineMs: 3_600_000 },
      ...{ fairKey: 'alice', limit: { key: 'openai', concurrency: 4, perMinute: 60 }, key: 'k1', delayMs: 2_000 },
      ...{ after: ['t1', 't2'], onDependencyFailure: 'ignore' },
    });
  });

  it('are left out where nothing is said, so that defaults hold', () => {
    expect(submitOptionsOf(flagsOf([]))).toEqual({});
  });

  it('say what a limit is made of when it is written otherwise', () => {
    expect(parseLimit('db,per-minute=9')).toEqual({ key: 'db', perMinute: 9 });
    for (const text of ['', 'db', ',concurrency=1', 'db,4', 'db,concurrency=0', 'db,concurrency=1.5', 'db,rate=4']) {
      expect(() => parseLimit(text), text).toThrow(InvalidArgumentError);
      expect(() => parseLimit(text), text).toThrow(/concurrency=/);
    }
  });

  it('name the policies there are', () => {
    expect(() => flagsOf(['--on-dependency-failure', 'panic'])).toThrow(/must be one of fail, ignore, run/);
  });
});
