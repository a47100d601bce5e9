/**
 * How a request is answered: at once, with where the reply will be; held until the reply is there, within bounds; or as a
 * stream of server-sent events, progress and all.
 */
import type { Context } from 'hono';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import type { SettledTask } from '../../actors/client/handle.ts';
import { PincerError } from '../../protocol/failure.ts';
import type { PlatformWorld } from '../platform.ts';
import type { Turn } from '../turn.ts';
import { isForgotten } from '../words.ts';
import { replyOf, toJson } from './webhook-message.ts';

/** Between two signs of life on a stream. */
const KEEP_ALIVE_MS = 15_000;
/** The shortest hold: what is settled already has to be asked for. */
const HOLD_MS_MIN = 250;

export function createAnswers({ clock, limits, log }: PlatformWorld, addressOf: (taskId: string) => string) {
  /** How to end each wait that is under way. Not one promise for all: that would keep what each of its races came to. */
  const waits = new Set<() => void>();
  let isClosed = false;

  /** How the task ended, or null when that takes longer than the request may. */
  async function within(outcome: Promise<SettledTask>, ms: number, gone?: AbortSignal): Promise<SettledTask | null> {
    let giveUp = (): void => {};
    const late = new Promise<null>((resolve) => {
      giveUp = () => resolve(null);
    });
    waits.add(giveUp);
    const cancel = clock.schedule(ms, giveUp);
    gone?.addEventListener('abort', giveUp);
    if (isClosed || gone?.aborted === true) giveUp();
    try {
      return await Promise.race([outcome, late]);
    } catch (error) {
      // The channel stops, and others will know.
      if (error instanceof PincerError && error.code === 'STOPPED') return null;
      throw error;
    } finally {
      cancel();
      waits.delete(giveUp);
    }
  }

  function later(taskId: string): Record<string, string> {
    return { status: 'pending', taskId, reply: addressOf(taskId) };
  }

  async function hold(context: Context, turn: Turn, ms: number): Promise<Response> {
    const settled = ms === 0 ? null : await within(turn.outcome(), ms);
    if (settled === null) {
      context.header('Location', addressOf(turn.taskId));
      return context.json(later(turn.taskId), 202);
    }
    if (settled.error !== undefined && isForgotten(settled)) throw settled.error;
    return context.body(toJson(replyOf(settled, turn.textOf(settled))), 200, { 'Content-Type': 'application/json' });
  }

  async function stream(sse: SSEStreamingApi, turn: Turn): Promise<void> {
    const { taskId } = turn;
    const write = (event: string, value: unknown): Promise<void> =>
      sse.closed || sse.aborted ? Promise.resolve() : sse.writeSSE({ event, data: toJson(value) });
    const reports = turn.progress[Symbol.asyncIterator]();
    let cancelBeat = (): void => {};
    const beat = (): void => {
      cancelBeat = clock.schedule(KEEP_ALIVE_MS, () => {
        void sse.write(': still here\n\n');
        beat();
      });
    };
    // Who hangs up, or was cut off since it took nothing, waits for nothing any more; the task goes on.
    const gone = new AbortController();
    sse.onAbort(() => {
      gone.abort();
      void reports.return?.();
    });
    beat();
    try {
      await write('accepted', { taskId, reply: addressOf(taskId) });
      const told = tell(reports, (report) => write('progress', report));
      const settled = await within(turn.outcome(), limits.webhookStreamMs, gone.signal);
      await reports.return?.();
      await told;
      await (settled === null ? write('later', later(taskId)) : write('reply', replyOf(settled, turn.textOf(settled))));
    } finally {
      cancelBeat();
      await reports.return?.();
    }
  }

  return {
    /** Answers for a turn; at once if the reply goes elsewhere. */
    to(context: Context, turn: Turn, isAsync: boolean): Response | Promise<Response> {
      if (context.req.header('accept')?.includes('text/event-stream') === true) {
        return streamSSE(
          context,
          (sse) => stream(sse, turn),
          async (error) => log.warn('webhook.stream-failed', { error: String(error) }),
        );
      }
      return hold(context, turn, isAsync ? 0 : holdMsOf(context, limits.webhookHoldMs));
    },
    close(): void {
      isClosed = true;
      for (const giveUp of waits) giveUp();
    },
  };
}

async function tell(reports: AsyncIterator<unknown>, write: (report: unknown) => Promise<void>): Promise<void> {
  for (let next = await reports.next(); next.done !== true; next = await reports.next()) await write(next.value);
}

/** How long the asker is willing to wait, as `Prefer` says (RFC 7240), within the limit. */
function holdMsOf({ req }: Context, maxMs: number): number {
  const prefer = req.header('prefer') ?? '';
  if (/\brespond-async\b/.test(prefer)) return Math.min(HOLD_MS_MIN, maxMs);
  const seconds = /\bwait=(\d{1,6})\b/.exec(prefer)?.[1];
  return Math.max(HOLD_MS_MIN, Math.min(maxMs, seconds === undefined ? maxMs : Number(seconds) * 1_000));
}
