/** Submitted tasks as the store is asked to keep them: with their requirement class, and defaults filled in. */
import { classOf } from '../../../machines/policies/requirement-class.ts';
import type { Limits } from '../../../protocol/limits.ts';
import { needsOf, type TaskSpec } from '../../../protocol/task.ts';
import type { NewTask } from '../../store/store.ts';

/** The class of all tasks of a type that ask for nothing of their own. */
interface PlainClass {
  readonly queue: string;
  readonly needs: readonly string[];
}

/** Types whose class is remembered: beyond that many they are worked out anew. */
const PLAIN_TYPES_MAX = 1_000;

export class NewTasks {
  readonly #limits: Pick<Limits, 'attemptsDefault'>;
  /** So that the tasks of a type share one name of their class. */
  readonly #plain = new Map<string, PlainClass>();

  constructor(limits: Pick<Limits, 'attemptsDefault'>) {
    this.#limits = limits;
  }

  of(spec: TaskSpec, { createdAt, origin, client }: Pick<NewTask, 'createdAt' | 'origin' | 'client'>): NewTask {
    const { queue, needs } = this.#classOf(spec);
    return {
      taskId: spec.taskId,
      type: spec.type,
      queue,
      needs,
      priority: spec.priority,
      timeoutMs: spec.timeout,
      attemptsMax: spec.attempts ?? this.#limits.attemptsDefault,
      payload: spec.payload,
      createdAt,
      origin,
      client,
      key: spec.key,
      prefer: spec.prefer,
      affinityKey: spec.affinityKey,
      delayMs: spec.delay,
      ttlMs: spec.ttl,
      deadlineMs: spec.deadline,
      fairKey: spec.fairKey,
      limit: spec.limit,
      after: spec.after,
    };
  }

  #classOf(spec: TaskSpec): PlainClass {
    const { type, labels, resources, node, limit } = spec;
    const isPlain =
      spec.needs === undefined &&
      labels === undefined &&
      resources === undefined &&
      node === undefined &&
      limit === undefined;
    const known = isPlain ? this.#plain.get(type) : undefined;
    if (known !== undefined) return known;
    const needs = needsOf(spec);
    const made = { queue: classOf({ type, needs, labels, resources, node, limitKey: limit?.key }), needs };
    if (isPlain) {
      if (this.#plain.size >= PLAIN_TYPES_MAX) this.#plain.clear();
      this.#plain.set(type, made);
    }
    return made;
  }
}
