/** The options that describe a task, shared by every command that submits one. */
import { type Command, InvalidArgumentError } from 'commander';
import type { SubmitOptions } from '../index.ts';
import { collectAmount, collectPair, parseDuration, parseList, parseWhole } from './option-values.ts';

const POLICIES = ['fail', 'ignore', 'run'] as const;
type Policy = (typeof POLICIES)[number];
type Limit = NonNullable<SubmitOptions['limit']>;

/** As Commander gathers them. */
export interface TaskFlags {
  readonly priority?: number;
  readonly timeout?: number;
  readonly needs?: string[];
  readonly label?: Record<string, string>;
  readonly resource?: Record<string, number>;
  readonly node?: string;
  readonly prefer?: string;
  readonly affinity?: string;
  readonly key?: string;
  readonly attempts?: number;
  readonly delay?: number;
  readonly ttl?: number;
  readonly deadline?: number;
  readonly fairKey?: string;
  readonly limit?: Limit;
  readonly after?: string[];
  readonly onDependencyFailure?: Policy;
}

/** What a task asks of its node and of its attempts: for commands that submit one now, or again and again. */
export function withTask(command: Command): Command {
  return command
    .option('--priority <n>', '1 (first) to 10 (last)', parseWhole(1, 10))
    .option('--timeout <duration>', 'how long one attempt may run, such as 500ms, 30s or 5m', parseDuration)
    .option('--needs <capabilities>', 'capabilities a node must have, as a,b', parseList)
    .option('--label <key=value>', 'a label the node must carry; repeatable', collectPair)
    .option('--resource <name=amount>', 'what an attempt takes of its node; repeatable', collectAmount)
    .option('--node <id>', 'the only node that may run it')
    .option('--prefer <id>', 'the node that takes it if it has room')
    .option('--affinity <key>', 'tasks of one key go to one node, with the strategy consistent-hash')
    .option('--attempts <n>', 'failures after which it is failed', parseWhole(1, 100))
    .option('--ttl <duration>', 'fail it if it has not started by then', parseDuration)
    .option('--deadline <duration>', 'fail it if it has not ended by then', parseDuration)
    .option('--fair-key <key>', 'tasks of one key do not stand before those of another')
    .option('--limit <key,…>', 'a limit that tasks share, as openai,concurrency=4,per-minute=60', parseLimit);
}

/** What only a task that is submitted now can be told. */
export function withTurn(command: Command): Command {
  return command
    .option('--key <key>', 'idempotency key: the same key is the same task')
    .option('--delay <duration>', 'not before', parseDuration)
    .option('--after <tasks>', 'tasks that must have settled first, as a,b', parseList)
    .option(
      '--on-dependency-failure <policy>',
      `with --after: when one of those fails: ${POLICIES.join(', ')}`,
      parsePolicy,
    );
}

export function submitOptionsOf(flags: TaskFlags): SubmitOptions {
  const { timeout, label, resource, affinity, delay, ttl, deadline } = flags;
  const { priority, needs, node, prefer, key, attempts, fairKey, limit, after, onDependencyFailure } = flags;
  const options = {
    ...{ priority, needs, node, prefer, key, attempts, fairKey, limit, after, onDependencyFailure },
    ...{ timeoutMs: timeout, delayMs: delay, ttlMs: ttl, deadlineMs: deadline },
    ...{ labels: label, resources: resource, affinityKey: affinity },
  };
  return withoutAbsent(options) as SubmitOptions;
}

/** The fields that have a value: an option that is absent is not the same as one that is undefined. */
export function withoutAbsent(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** `key,concurrency=N,per-minute=N`, with either number or both. */
export function parseLimit(text: string): Limit {
  const [key = '', ...parts] = text.split(',');
  const numbers: Record<string, number> = {};
  for (const part of parts) {
    const [name = '', amount = ''] = part.split('=');
    if ((name !== 'concurrency' && name !== 'per-minute') || !/^[1-9]\d{0,6}$/.test(amount)) {
      throw new InvalidArgumentError(`has '${part}', which is neither concurrency=N nor per-minute=N.`);
    }
    numbers[name === 'per-minute' ? 'perMinute' : name] = Number(amount);
  }
  if (key === '' || parts.length === 0) {
    throw new InvalidArgumentError('must be a key and its numbers, such as openai,concurrency=4,per-minute=60.');
  }
  return { key, ...numbers };
}

function parsePolicy(text: string): Policy {
  const policy = POLICIES.find((one) => one === text);
  if (policy !== undefined) return policy;
  throw new InvalidArgumentError(`must be one of ${POLICIES.join(', ')}.`);
}
