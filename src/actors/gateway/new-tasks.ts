/** A submitted task as the store is asked to keep it: with its requirement class, and defaults filled in. */
import { classOf } from '../../machines/policies/requirement-class.ts';
import type { Limits } from '../../protocol/limits.ts';
import { needsOf, type TaskSpec } from '../../protocol/task.ts';
import type { NewTask } from '../store/store.ts';

export function newTaskOf(spec: TaskSpec, createdAt: number, limits: Pick<Limits, 'attemptsDefault'>): NewTask {
  const needs = needsOf(spec);
  const { type, labels, resources, node, limit } = spec;
  return {
    taskId: spec.taskId,
    type,
    queue: classOf({ type, needs, labels, resources, node, limitKey: limit?.key }),
    needs,
    priority: spec.priority,
    timeoutMs: spec.timeout,
    attemptsMax: spec.attempts ?? limits.attemptsDefault,
    payload: spec.payload,
    createdAt,
    key: spec.key,
    prefer: spec.prefer,
    affinityKey: spec.affinityKey,
    delayMs: spec.delay,
    ttlMs: spec.ttl,
    deadlineMs: spec.deadline,
    fairKey: spec.fairKey,
    limit,
    after: spec.after,
  };
}
