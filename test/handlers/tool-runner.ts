/** Runs a tool as a node would: the payload checked by the definition first, the result and progress checked after. */
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { checked, type InputOf, type ProgressOf, type ResultOf } from '../../src/actors/task-definition.ts';
import { systemClock } from '../../src/actors/world/system-clock.ts';
import { type ToolHandlerOptions, toolExecution, toolHandler } from '../../src/handlers.ts';

type Tool = typeof toolExecution;
type Report = ProgressOf<Tool>;

interface Watch {
  readonly signal?: AbortSignal;
  progress?(report: Report): Promise<void> | void;
}

let tasks = 0;

/** A handler ready to be called with payloads. */
export function tool(
  options: Omit<ToolHandlerOptions, 'clock'>,
): (payload: InputOf<Tool>, watch?: Watch) => Promise<ResultOf<Tool>> {
  const handler = toolHandler({ ...options, clock: systemClock() });
  return async (payload, watch = {}) => {
    tasks += 1;
    const input = await checked(toolExecution.input, payload, 'PAYLOAD_INVALID', 'input');
    const result = await handler({
      input: input as Parameters<typeof handler>[0]['input'],
      signal: watch.signal ?? new AbortController().signal,
      taskId: `task-${tasks}`,
      attempt: 1,
      progress: async (report) => {
        await checked(toolExecution.progress, report, 'RESULT_INVALID', 'progress');
        await watch.progress?.(report);
      },
    });
    return (await checked(toolExecution.output, result, 'RESULT_INVALID', 'result')) as ResultOf<Tool>;
  };
}

/** An empty directory that is gone after the test. */
export function scratchDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'pincer-tool-')));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Whether a process still runs; one that only waits to be reaped does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const stat = existsSync('/proc') ? readFileSync(`/proc/${pid}/stat`, 'latin1') : '';
    return !/\) [ZX] /.test(stat);
  } catch {
    return false;
  }
}

/** The process ids that a script has written into a file, one a line; none while there is no file. */
export function pidsIn(file: string): number[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number) : [];
}
