/** The text of replies and of progress: what results and reports of any shape amount to for somebody who reads them. */
import type { SettledTask } from '../actors/client/handle.ts';

/** The text of a result: itself if it is text, its `text` if it has one, else JSON. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const text = fieldOf(value, 'text');
  if (typeof text === 'string') return text;
  return value === undefined || value === null ? '' : JSON.stringify(value, bytesAsText);
}

/** Whether nobody knows of the task (any more). One that has run may have failed with the same code. */
export function isForgotten({ error, attempts }: SettledTask): boolean {
  return error?.code === 'TASK_UNKNOWN' && attempts === 0;
}

/** The text of how a task ended. */
export function replyTextOf({ status, result, error }: SettledTask): string {
  if (status === 'completed') return textOf(result);
  return status === 'cancelled'
    ? 'This was cancelled.'
    : `This did not work: ${error?.message ?? 'no reason is known'}`;
}

/** The text so far, after another report: `delta` and `chunk` are added to it, `text` or a plain string replaces it. */
export function progressTextOf(before: string, report: unknown, charactersMax: number): string {
  const added = fieldOf(report, 'delta') ?? fieldOf(report, 'chunk');
  const whole = typeof report === 'string' ? report : fieldOf(report, 'text');
  const text = typeof added === 'string' ? before + added : typeof whole === 'string' ? whole : before;
  return text.slice(0, charactersMax);
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function bytesAsText(this: unknown, key: string, value: unknown): unknown {
  const original = (this as Record<string, unknown>)[key];
  if (original instanceof Uint8Array) return Buffer.from(original).toString('base64');
  return typeof value === 'bigint' ? String(value) : value;
}
