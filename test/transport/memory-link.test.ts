import { defaultLimits } from '../../src/protocol/limits.ts';
import type { Link } from '../../src/transport/link.ts';
import { createMemoryNetwork } from '../../src/transport/memory.ts';
import { linkConformance } from '../conformance/link.ts';
import { createHandClock } from '../support/hand-clock.ts';

linkConformance('a memory link', async () => {
  const clock = createHandClock();
  const network = createMemoryNetwork({ clock, random: Math.random });
  const accepted: Link[] = [];
  const listener = await network.listen('gateway')((link) => accepted.push(link));
  const near = await network.dial('gateway')(new AbortController().signal);
  const { frameBytesMax } = defaultLimits;
  return { near, far: accepted[0] as Link, frameBytesMax, pass: clock.pass, close: () => listener.close() };
});
