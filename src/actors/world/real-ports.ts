/** The real ports, for composition roots: the system’s clock, Math.random, crypto.randomUUID and its sisters in the order of time. */
import { randomUUID } from 'node:crypto';
import type { Clock, Ids, Random } from '../../protocol/ports.ts';
import { orderedIds } from './ordered-ids.ts';
import { systemClock } from './system-clock.ts';

export function realPorts(): { clock: Clock; random: Random; ids: Ids } {
  return { clock: systemClock(), random: Math.random, ids };
}

const ids: Ids = Object.assign(() => randomUUID(), { inOrder: orderedIds() });
