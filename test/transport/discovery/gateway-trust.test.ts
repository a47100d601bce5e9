import { describe, expect, it } from 'vitest';
import { trustOf } from '../../../src/transport/discovery/gateway-trust.ts';

const lan = 'ws://192.168.1.10:7443';
const own = 'ws://127.0.0.1:7443';

describe('a gateway that was found', () => {
  it.each([
    ['static', lan, true, true],
    ['static', 'ws://gw.example.com', true, true],
    ['mdns', own, false, true],
    ['mdns', own, true, false],
    ['mdns', lan, false, false],
    ['mdns', lan, true, false],
    ['mdns', 'wss://gw.example.com', true, false],
    ['mdns', 'ws://127.evil.example:7443', false, false],
    ['registry', lan, true, true],
    ['registry', 'wss://gw.example.com', true, true],
    ['registry', 'ws://gw.example.com', true, false],
    ['registry', 'ws://8.8.8.8:7443', false, false],
    ['registry', 'wss://169.254.169.254', true, false],
    ['an app’s own', own, false, true],
    ['an app’s own', lan, false, false],
  ])('of %s at %s (token: %s) is dialled: %s', (kind, url, hasToken, isDialled) => {
    expect(trustOf([], { hasToken })({ kind, url }) === null).toBe(isDialled);
  });

  it.each([
    ['192.168.1.10', lan, true],
    ['192.168.1.10:7443', lan, true],
    ['192.168.1.10:7444', lan, false],
    ['192.168.1.0/24', lan, true],
    ['192.168.2.0/24', lan, false],
    ['0.0.0.0/0', 'ws://[fd00::1]:7443', false],
    ['fd00::/8', 'ws://[fd00::1]:7443', true],
    ['[fd00::1]:7443', 'ws://[fd00::1]:7443', true],
    ['::ffff:0:0/96', lan, false],
    ['gw.example.com', 'wss://GW.example.com', true],
    ['gw.example.com:443', 'wss://gw.example.com', true],
    ['gw.example.com', 'wss://gw.example.com.evil.example', false],
    ['example.com', 'wss://gw.example.com', false],
  ])('is trusted by %s: %s: %s', (named, url, isTrusted) => {
    expect(trustOf([named], { hasToken: true })({ kind: 'mdns', url }) === null).toBe(isTrusted);
  });

  it.each(['', '10.0.0.0/33', '10.0.0.0/8/8', 'a b', 'ws://10.0.0.1', '1.2.3.4:99999x', '999.1.1.1'])(
    'cannot be trusted by %j, and that is said',
    (named) => {
      expect(() => trustOf([named], { hasToken: true })).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
    },
  );
});
