import { describe, expect, it } from 'vitest';
import { isLoopback, loopbackVerifier, tokenVerifier, type UpgradeRequest } from '../../src/transport/upgrade.ts';

const aRequest = (facts: Partial<UpgradeRequest> = {}): UpgradeRequest => ({
  authorization: undefined,
  origin: undefined,
  host: '127.0.0.1:7443',
  remoteAddress: '127.0.0.1',
  ...facts,
});

describe('the token verifier', () => {
  const verify = tokenVerifier('right-token');

  it.each(['Bearer right-token', 'bearer right-token', 'Bearer   right-token  '])('lets in %j', (authorization) => {
    expect(verify(aRequest({ authorization }))).toEqual({ name: 'token' });
  });

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearer wrong-token',
    'Bearer right-toke',
    'Bearer right-token2',
    'Bearer RIGHT-TOKEN',
    'Bearer right-token right-token',
    'Basic cmlnaHQtdG9rZW4=',
    'right-token',
    'Bearer undefined',
  ])('refuses %j', (authorization) => {
    expect(verify(aRequest({ authorization }))).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('never repeats a token, neither its own nor the one presented', () => {
    const refusal = verify(aRequest({ authorization: 'Bearer guessed-token' }));
    expect(JSON.stringify([refusal, (refusal as Error).message])).not.toMatch(/guessed-token|right-token/);
  });

  it('refuses what a browser sends, even with the right token', () => {
    for (const origin of ['https://example.org', 'null', '']) {
      const refusal = verify(aRequest({ authorization: 'Bearer right-token', origin }));
      expect(refusal).toMatchObject({ code: 'FORBIDDEN' });
    }
  });

  it.each(['', 'two words', 'line\nbreak', 'tökén'])('cannot be made of %j', (token) => {
    expect(() => tokenVerifier(token)).toThrow('printable ASCII');
  });
});

describe('the loopback verifier', () => {
  const verify = loopbackVerifier();

  it.each([
    '127.0.0.1:7443',
    '127.0.0.1',
    'localhost:7443',
    '[::1]:7443',
    'LOCALHOST',
    'gateway.localhost:80',
    '127.1.2.3',
  ])('lets in a program that asks for %s', (host) => {
    expect(verify(aRequest({ host }))).toEqual({ name: 'loopback' });
  });

  it.each([
    undefined,
    '',
    'rebound.example.org:7443',
    'localhost.example.org',
    '127.0.0.1.example.org',
    '0.0.0.0:7443',
    '[::ffff:10.0.0.1]',
    'evil@127.0.0.1',
    '10.0.0.1',
  ])('refuses the host %j: the name of a web page may resolve to this machine', (host) => {
    expect(verify(aRequest({ host }))).toMatchObject({ code: 'FORBIDDEN' });
  });

  it('refuses what a browser sends', () => {
    expect(verify(aRequest({ origin: 'http://127.0.0.1:7443' }))).toMatchObject({ code: 'FORBIDDEN' });
  });

  it('refuses other machines', () => {
    expect(verify(aRequest({ remoteAddress: '10.0.0.7' }))).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(verify(aRequest({ remoteAddress: '::ffff:127.0.0.1' }))).toEqual({ name: 'loopback' });
  });
});

describe('a loopback address', () => {
  it('is 127.0.0.0/8, ::1 or localhost, and nothing that merely looks like it', () => {
    expect(['127.0.0.1', '127.255.255.254', '::1', '[::1]', 'localhost'].every(isLoopback)).toBe(true);
    expect(['0.0.0.0', '::', '128.0.0.1', '1270.0.0.1', '127.0.0.1.', 'localhostess'].some(isLoopback)).toBe(false);
  });
});
