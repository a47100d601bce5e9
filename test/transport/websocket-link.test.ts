import { defaultLimits } from '../../src/protocol/limits.ts';
import type { Link } from '../../src/transport/link.ts';
import { loopbackVerifier } from '../../src/transport/upgrade.ts';
import { dialWebSocket, listenWebSocket } from '../../src/transport/websocket.ts';
import { linkConformance } from '../conformance/link.ts';
import { createHandClock } from '../support/hand-clock.ts';

linkConformance('a WebSocket link', async () => {
  const clock = createHandClock();
  const limits = defaultLimits;
  const accepted: Link[] = [];
  const listen = listenWebSocket({ host: '127.0.0.1', port: 0, verifier: loopbackVerifier(), limits, clock });
  const listener = await listen((link) => accepted.push(link));
  const near = await dialWebSocket(listener.url, { limits, clock })(new AbortController().signal);
  const { frameBytesMax } = limits;
  return { near, far: accepted[0] as Link, frameBytesMax, pass: clock.pass, close: () => listener.close() };
});
