import { describe, expect, it } from 'vitest';
import { dialsOf } from '../../src/actors/peer/dials.ts';
import { realPorts } from '../../src/actors/world/real-ports.ts';
import { createWorld } from '../../src/actors/world/world.ts';
import { telegram } from '../../src/channels/telegram/telegram.ts';
import { plainUrl } from '../../src/protocol/identifier.ts';
import { judgedUrl } from '../../src/transport/discovery/safe-fetch.ts';
import { dialWebSocket } from '../../src/transport/websocket.ts';

describe('a URL for people', () => {
  it.each([
    ['wss://gw.example:7443/path', 'wss://gw.example:7443/path'],
    ['https://bob:hunter2@gw.example/', 'https://…@gw.example/'],
    ['https://bob:hun/ter2@@gw.example/', 'https://…@gw.example/'],
    ['wss//bob:hunter2@gw.example', '…@gw.example'],
    ['bob:hunter2@gw.example', 'bob:…@gw.example'],
    ['nonsense', 'nonsense'],
  ])('has no password: %s', (text, shown) => expect(plainUrl(text)).toBe(shown));

  it.each([
    ['a gateway, by a scheme that is none of its', (url: string) => dialsOf(`https:${url}`, undefined, world())],
    ['a gateway, by no URL at all', (url: string) => dialsOf(`wss:${url}:99999`, undefined, world())],
    ['a link', (url: string) => dialWebSocket(`https:${url}`, world())],
    ['a Bot API server', (url: string) => telegram({ token: '1:x', allowAnyone: true, apiRoot: `ftp:${url}` })],
    ['a registry or a callback', (url: string) => judgedUrl(`https:${url}:99999`, NOWHERE)],
  ])('is refused without its password where it would name %s', (_, use) => {
    expect(() => use('//bob:hunter2@gw.example')).toThrow(/…@gw\.example/);
    expect(() => use('//bob:hunter2@gw.example')).not.toThrow(/hunter2/);
  });
});

const NOWHERE = { isLoopbackAllowed: false, isPrivateAllowed: false };

function world() {
  return createWorld({}, realPorts());
}
