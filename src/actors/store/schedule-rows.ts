/** The schedules of a store, and the newest run that was noted of each. */
import { PincerError } from '../../protocol/failure.ts';
import type { Schedule, ScheduleRecord } from './new-task.ts';
import type { Table } from './tables.ts';
import { copyOf } from './task-row.ts';

export class ScheduleRows {
  readonly #schedulesMax: number;
  readonly #rows: Table<ScheduleRecord>;

  constructor(schedulesMax: number, rows: Table<ScheduleRecord>) {
    this.#schedulesMax = schedulesMax;
    this.#rows = rows;
  }

  put(schedule: Schedule): void {
    const known = this.#rows.get(schedule.id);
    if (known === undefined && this.#rows.size >= this.#schedulesMax) {
      const message = `there are ${this.#rows.size} schedules, and schedulesMax is ${this.#schedulesMax}`;
      throw new PincerError('RATE_EXCEEDED', message);
    }
    this.#rows.set(schedule.id, ownCopy({ ...schedule, lastRunAt: known?.lastRunAt ?? null }));
  }

  all(): readonly ScheduleRecord[] {
    return [...this.#rows.values()].sort((a, b) => (a.id < b.id ? -1 : 1)).map(ownCopy);
  }

  drop(id: string): boolean {
    return this.#rows.delete(id);
  }

  noteRun(id: string, runAt: number): boolean {
    const row = this.#rows.get(id);
    if (row === undefined || (row.lastRunAt !== null && runAt <= row.lastRunAt)) return false;
    this.#rows.set(id, { ...row, lastRunAt: runAt });
    return true;
  }
}

/** Bytes as in every row; the rest is plain data. */
function ownCopy(schedule: ScheduleRecord): ScheduleRecord {
  const { payload, ...task } = schedule.task;
  return { ...schedule, task: { ...structuredClone(task), payload: copyOf(payload) } };
}
