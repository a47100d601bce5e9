/** Why a node that is here is to get no new work for now, by what it says of itself. */
import type { Payload } from '../../../protocol/message.ts';

/** In words; null: nothing keeps it from work. */
export function hesitationOf(
  { status, load: { tasks, lagMs = 0 } }: Payload<'heartbeat'>,
  { maxTasks, lagBusyMs }: { readonly maxTasks: number; readonly lagBusyMs: number },
): string | null {
  if (status === 'offline') return 'it is about to leave';
  if (lagMs >= lagBusyMs) return `its event loop lags by ${Math.round(lagMs)} ms`;
  // One whose slots are all taken says no more than that, and the gateway counts them itself.
  if (status === 'busy' && tasks < maxTasks) return 'it says so itself';
  return null;
}
