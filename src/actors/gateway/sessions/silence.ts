/** How long the peer of a session has been silent. Any frame counts as a sign of life; nothing is done per frame. */
import type { World } from '../../world/world.ts';
import type { Session, Silence } from './session.ts';

/**
 * Follows a session until its link goes. `suspected` comes after `suspectAfterMs` of silence, `passed` after
 * `offlineAfterMs` and last; that the silence is broken is for the receiver of frames to notice.
 */
export function watchSilence(session: Session, world: World, onSilence: (event: Silence) => void): void {
  const { clock, deadlines, limits } = world;
  const { post } = session;
  if (post === null) return;
  session.silence?.clear();
  const silentMs = clock.now() - post.lastHeardAt;
  const nextMs = session.isSuspect ? limits.offlineAfterMs : Math.min(limits.suspectAfterMs, limits.offlineAfterMs);
  session.silence = deadlines.set(Math.max(1, nextMs - silentMs), () => {
    if (session.post !== post) return;
    const silent = clock.now() - post.lastHeardAt;
    if (silent >= limits.offlineAfterMs) return onSilence('passed');
    if (silent >= limits.suspectAfterMs && !session.isSuspect) {
      session.isSuspect = true;
      onSilence('suspected');
    }
    watchSilence(session, world, onSilence);
  });
}
