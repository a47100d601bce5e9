import { expect, it } from 'vitest';
import { nearestOf } from '../../src/protocol/nearest-name.ts';

const NAMES = ['listen', 'token', 'id', 'timeoutMs', 'url'];

it.each([
  ['lisen', 'listen'],
  ['lsiten', 'listen'],
  ['rul', 'url'],
  ['tokne', 'token'],
  ['ruk', null],
  ['LISTEN', 'listen'],
  ['timeout', 'timeoutMs'],
  ['time', 'timeoutMs'],
  ['ur', null],
  ['gateway', null],
  ['', null],
  ['x', null],
  ['toString', null],
  ['listen'.repeat(100_000), null],
])('of %.20s is %s', (given, nearest) => {
  expect(nearestOf(given, NAMES)).toBe(nearest);
});
