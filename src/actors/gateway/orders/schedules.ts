/**
 * Runs schedules: looks once a second whose time has come, submits its task under a key made of schedule and time, and
 * notes the run. Every gateway of a store does so; by key and note there is one task for each time.
 */
import { PincerError } from '../../../protocol/failure.ts';
import type { Order } from '../../../protocol/query.ts';
import type { ScheduleView } from '../../../protocol/schedule.ts';
import { decodePayload, encodePayload } from '../../../transport/payload.ts';
import { checkTimes, type NextRun, nextRun } from '../../schedule-times.ts';
import type { ScheduleRecord } from '../../store/new-task.ts';
import type { NewTask, Store, SubmitVerdict } from '../../store/store.ts';
import { newTaskId } from '../../task-id.ts';
import type { World } from '../../world/world.ts';
import { pageOf } from '../questions/page.ts';
import { NewTasks } from '../tasks/new-tasks.ts';

export interface SchedulesOptions {
  readonly store: Store;
  /** False while the gateway drains: it makes no more tasks. */
  isServing(): boolean;
  /** An operator drains the type: its runs wait. */
  isRefused(type: string): boolean;
  onStoreFailed(error: unknown): void;
}

interface Planned {
  readonly record: ScheduleRecord;
  readonly next: NextRun | null;
  /** When the time of a span comes at the latest, by the clock that nobody sets. */
  readonly dueAt: number;
}

/** A run that was noted: of which schedule, and its nominal time. */
type Run = readonly [id: string, runAt: number];

/** Schedules whose next time is worked out in one turn: a cron pattern takes half a millisecond, and there may be thousands. */
const IN_ONE_BREATH = 64;

/** Hints for the others: nothing at all if schedules were put or dropped, or the runs that were noted. */
const TOPIC = 'schedules';

export class Schedules {
  readonly #world: World;
  readonly #options: SchedulesOptions;
  #planned = new Map<string, Planned>();
  #readAt = Number.NEGATIVE_INFINITY;
  #isStale = true;

  constructor(world: World, options: SchedulesOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** Looks after the schedules until the deadlines stop. Returns what ends the subscription. */
  watch(): () => void {
    const { deadlines, limits } = this.#world;
    const look = (): void => {
      deadlines.set(limits.scheduleTickMs, () => {
        this.#look()
          .catch((error: unknown) => this.#options.onStoreFailed(error))
          .finally(look);
      });
    };
    look();
    return this.#options.store.subscribe(TOPIC, (bytes) => {
      if (bytes.byteLength === 0) this.#isStale = true;
      else this.#hear(bytes);
    });
  }

  /** @throws PincerError `SCHEDULE_INVALID`, `PAYLOAD_TOO_LARGE`, or `RATE_EXCEEDED` beyond schedulesMax. */
  async put(order: Extract<Order, { what: 'schedule.put' }>): Promise<void> {
    const { scheduleId, cron, everyMs, timezone, task } = order;
    const { clock, limits } = this.#world;
    const createdAt = clock.wallTime();
    const { schedulePayloadBytesMax } = limits;
    if (task.payload.byteLength > schedulePayloadBytesMax) {
      const bytes = `the payload has ${task.payload.byteLength} bytes, and a schedule keeps ${schedulePayloadBytesMax}`;
      throw new PincerError('PAYLOAD_TOO_LARGE', `schedule '${scheduleId}': ${bytes}`);
    }
    checkTimes({ pattern: cron, everyMs, timezone }, createdAt);
    const spec = { ...task, taskId: scheduleId };
    const { taskId: _, createdAt: __, ...kept } = new NewTasks(limits).of(spec, { createdAt });
    const when = { pattern: cron, everyMs, timezone };
    const schedule = { id: scheduleId, createdAt, ...when, task: kept };
    await this.#options.store.putSchedule(schedule);
    this.#planned.delete(scheduleId);
    this.#tell();
  }

  /** @throws PincerError `SCHEDULE_UNKNOWN` */
  async drop(scheduleId: string): Promise<void> {
    if (!(await this.#options.store.dropSchedule(scheduleId))) {
      throw new PincerError('SCHEDULE_UNKNOWN', `no schedule '${scheduleId}'`);
    }
    this.#tell();
  }

  /**
   * A page of them, by id.
   * @throws PincerError `MESSAGE_INVALID` for a cursor that is no id
   */
  async page(limit: number, cursor?: string): Promise<{ items: ScheduleView[]; total: number; cursor?: string }> {
    await this.#read();
    const page = pageOf([...this.#planned.values()], ({ record }) => record.id, { of: 'schedules', limit, cursor });
    return { ...page, items: page.items.map(viewOf), total: this.#planned.size };
  }

  #tell(): void {
    this.#isStale = true;
    this.#options.store.publish(TOPIC, new Uint8Array());
  }

  async #look(): Promise<void> {
    if (!this.#options.isServing()) return;
    const {
      clock,
      limits: { scheduleRefreshMs, submitBatchMax },
    } = this.#world;
    if (this.#isStale || clock.now() - this.#readAt > scheduleRefreshMs) await this.#read();
    const due = [...this.#planned.values()].filter((planned) => this.#isDue(planned));
    // All of them: were the first ones due again by the next look, or refused, those behind them would never run.
    const atOnce = Math.min(submitBatchMax, IN_ONE_BREATH);
    for (let start = 0; start < due.length; start += atOnce) {
      if (start > 0) await this.#breath();
      await this.#run(due.slice(start, start + atOnce));
    }
  }

  #isDue({ record, next, dueAt }: Planned): boolean {
    const { clock } = this.#world;
    if (next === null || this.#options.isRefused(record.task.type)) return false;
    // The wall clock for a span, too: in a machine that sleeps the other one may stand still.
    return next.runAt <= clock.wallTime() || (record.pattern === undefined && dueAt <= clock.now());
  }

  async #run(due: readonly Planned[]): Promise<void> {
    const { clock, ids } = this.#world;
    const { store } = this.#options;
    const wallNow = clock.wallTime();
    const runs = due.map(({ record, next }) => ({ record, runAt: newestOf(record, next, wallNow) }));
    // Before the run is noted, and under a key: a gateway that dies in between has lost no run, and makes none twice.
    const verdicts = await store.submit(
      runs.map(({ record, runAt }) => taskOf(record, runAt, newTaskId(ids, wallNow), wallNow)),
    );
    // Together: one commit for many, where each by itself would make the next look later.
    const isNoted = await Promise.all(
      runs.map(({ record, runAt }, index) => this.#note(record, runAt, verdicts[index])),
    );
    const noted = runs.filter((_, index) => isNoted[index]).map(({ record, runAt }): Run => [record.id, runAt]);
    // The key of its task keeps a run from being made twice only until that has ended and is forgotten.
    if (noted.length > 0) store.publish(TOPIC, encodePayload(noted));
  }

  /** False: the run was refused, or it is not the first that is noted of its time. */
  async #note(record: ScheduleRecord, runAt: number, verdict: SubmitVerdict | undefined): Promise<boolean> {
    const { log } = this.#world;
    if (verdict === undefined) return false;
    if ('refused' in verdict) {
      // It stays due, and is tried again.
      log.warn('schedule.refused', { scheduleId: record.id, code: verdict.refused, message: verdict.message });
      return false;
    }
    if (verdict.created) log.info('schedule.ran', { scheduleId: record.id, taskId: verdict.taskId, runAt });
    const isFirst = await this.#options.store.noteScheduleRun(record.id, runAt);
    // Another gateway has noted this run or a later one, or the schedule is gone.
    if (!isFirst) this.#isStale = true;
    // What has been put anew or dropped since is planned as it is now.
    else if (this.#planned.get(record.id)?.record === record) this.#planNext(record, runAt);
    return isFirst;
  }

  #planNext(record: ScheduleRecord, lastRunAt: number): void {
    this.#planned.set(record.id, this.#plan({ ...record, lastRunAt }));
  }

  /** Another gateway has noted runs, or this one. */
  #hear(bytes: Uint8Array): void {
    try {
      for (const [id, runAt] of decodePayload(bytes, this.#world.limits) as Run[]) {
        const record = this.#planned.get(id)?.record;
        if (record !== undefined && runAt > (record.lastRunAt ?? Number.NEGATIVE_INFINITY))
          this.#planNext(record, runAt);
      }
    } catch {
      // Of another version, maybe: it is read in the store.
      this.#isStale = true;
    }
  }

  async #read(): Promise<void> {
    this.#isStale = false;
    const records = await this.#options.store.schedules();
    this.#readAt = this.#world.clock.now();
    const plans = new Map<string, Planned>();
    for (const record of records) {
      if (isKnown(this.#planned.get(record.id), record)) continue;
      plans.set(record.id, this.#plan(record));
      if (plans.size % IN_ONE_BREATH === 0) await this.#breath();
    }
    // What has not changed keeps its time: a wall clock that was set meanwhile does not move it. Nor is a run forgotten that
    // was noted meanwhile.
    this.#planned = new Map(
      records.map((record) => {
        const known = this.#planned.get(record.id);
        return [record.id, isKnown(known, record) ? known : (plans.get(record.id) ?? this.#plan(record))];
      }),
    );
  }

  #breath(): Promise<void> {
    return new Promise((resolve) => this.#world.clock.soon(resolve));
  }

  #plan(record: ScheduleRecord): Planned {
    const { clock } = this.#world;
    const next = nextRun(record, sinceOf(record), clock.wallTime());
    return { record, next, dueAt: clock.now() + (next?.inMs ?? 0) };
  }
}

/** From when the next run counts: a schedule that was put anew begins anew. */
function sinceOf({ createdAt, lastRunAt }: ScheduleRecord): number {
  return Math.max(createdAt, lastRunAt ?? createdAt);
}

/** The nominal time of a run that is due now: the newest that has passed, or the one that was planned. */
function newestOf(record: ScheduleRecord, planned: NextRun | null, wallNow: number): number {
  const now = nextRun(record, sinceOf(record), wallNow);
  return now !== null && now.inMs === 0 ? now.runAt : (planned?.runAt ?? wallNow);
}

function taskOf(record: ScheduleRecord, runAt: number, taskId: string, createdAt: number): NewTask {
  return { ...record.task, taskId, createdAt, key: `schedule:${record.id}:${runAt}` };
}

/** Whether what is planned is of this record, or of one in which a later run is noted. */
function isKnown(planned: Planned | undefined, { createdAt, lastRunAt }: ScheduleRecord): planned is Planned {
  if (planned?.record.createdAt !== createdAt) return false;
  return (planned.record.lastRunAt ?? Number.NEGATIVE_INFINITY) >= (lastRunAt ?? Number.NEGATIVE_INFINITY);
}

function viewOf({ record, next }: Planned): ScheduleView {
  const { id, pattern, everyMs, timezone, createdAt, lastRunAt, task } = record;
  return {
    scheduleId: id,
    type: task.type,
    priority: task.priority,
    ...(pattern === undefined ? {} : { cron: pattern }),
    ...(everyMs === undefined ? {} : { everyMs }),
    ...(timezone === undefined ? {} : { timezone }),
    createdAt,
    ...(lastRunAt === null ? {} : { lastRunAt }),
    ...(next === null ? {} : { nextRunAt: next.runAt }),
  };
}
