/** Handlers whose attempts wait until the test says how they end. */
import { defineHandler, type InlineRegistration } from '../../src/actors/node/runner.ts';
import { defineTask, type TaskDefinition } from '../../src/actors/task-definition.ts';

/** One attempt that runs, or did. */
export interface PuppetRun {
  readonly node: string;
  readonly taskId: string;
  readonly attempt: number;
  readonly input: unknown;
  readonly signal: AbortSignal;
  progress(report: unknown): Promise<void>;
  finish(result?: unknown): void;
  fail(error: Error): void;
  isOver: boolean;
}

export class Puppets {
  readonly task: TaskDefinition;
  /** Every attempt that was started, in order. */
  readonly runs: PuppetRun[] = [];

  constructor(task: TaskDefinition | string = 'job') {
    this.task = typeof task === 'string' ? defineTask(task) : task;
  }

  /** The attempts that run now. */
  get running(): PuppetRun[] {
    return this.runs.filter((run) => !run.isOver);
  }

  /** The one attempt that runs now. */
  get only(): PuppetRun {
    const [only, ...others] = this.running;
    if (only === undefined || others.length > 0) throw new Error(`${this.running.length} attempts run, not one`);
    return only;
  }

  /** The handler for a node. `obeys`: whether its attempts end when they are told to stop. Default true. */
  on(node: string, { obeys = true }: { obeys?: boolean } = {}): InlineRegistration {
    return defineHandler(this.task, ({ taskId, attempt, input, signal, progress }) => {
      return new Promise((resolve, reject) => {
        const over = (end: () => void): void => {
          run.isOver = true;
          end();
        };
        const run: PuppetRun = {
          node,
          taskId,
          attempt,
          input,
          signal,
          progress: (report) => progress(report as never),
          finish: (result = 'done') => over(() => resolve(result)),
          fail: (error) => over(() => reject(error)),
          isOver: false,
        };
        this.runs.push(run);
        if (obeys) signal.addEventListener('abort', () => run.fail(signal.reason as Error));
      });
    });
  }
}
