/** How long the peer of a session has been silent. Any frame counts as a sign of life; nothing is done per frame. */
import type { World } from '../../world/world.ts';
import type { Session, Silence } from './session.ts';

/**
 * Follows a session until its link goes. `suspected` comes after `suspectAfterMs` of silence, `passed` after
 * `offlineAfterMs` and last; that the silence is broken is for the receiver of frames to notice.
 *
 * Nobody is given up who was not suspected for all the time between: a gateway that stood still itself, as when its
 * machine slept, has heard of nobody for hours, and first has to hear who is there.
 */
export function watchSilence(session: Session, world: World, onSilence: (event: Silence) => void): void {
  const { clock, deadlines, limits } = world;
  const { post } = session;
  if (post === null) return;
  session.silence?.clear();
  const dueAt = (): number =>
    session.suspectedAt === null
      ? post.lastHeardAt + limits.suspectAfterMs
      : session.suspectedAt + limits.offlineAfterMs - limits.suspectAfterMs;
  session.silence = deadlines.set(Math.max(1, dueAt() - clock.now()), () => {
    if (session.post !== post) return;
    const now = clock.now();
    if (now >= dueAt()) {
      if (session.suspectedAt !== null) return onSilence('passed');
      session.suspectedAt = now;
      onSilence('suspected');
    }
    watchSilence(session, world, onSilence);
  });
}
