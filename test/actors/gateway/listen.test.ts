import { expect, it } from 'vitest';
import { createGateway } from '../../../src/actors/gateway/gateway.ts';
import { listenAt } from '../../../src/actors/gateway/listen.ts';
import { realPorts } from '../../../src/actors/world/real-ports.ts';
import { createWorld } from '../../../src/actors/world/world.ts';

it.each(['0.0.0.0:0', ':0', '[::]:0', '192.0.2.1:0'])(
  'a gateway at %s takes no token that can be guessed',
  async (listen) => {
    for (const token of [undefined, 'short', 'fifteen-letters']) {
      const error = await createGateway({ listen, ...(token === undefined ? {} : { token }) }).catch(
        (thrown) => thrown,
      );
      expect(error).toMatchObject({ code: 'BIND_REFUSED', hint: expect.stringContaining('openssl rand -hex 32') });
      if (token === undefined) continue;
      expect(error.message).toContain(`at least 16 characters, this one has ${token.length}`);
      expect(error.message).not.toContain(token);
    }
    // That it would be let listen is enough: nothing is opened before the listener is called.
    expect(() => listenAt(listen, 'sixteen-letters!', createWorld({}, realPorts()))).not.toThrow();
  },
);

it('a gateway for this machine alone takes a token of any length', async () => {
  await using gateway = await createGateway({ token: 'short' });
  expect(gateway.status).toBe('serving');
});
