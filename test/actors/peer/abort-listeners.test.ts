import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { AbortListeners } from '../../../src/actors/peer/abort-listeners.ts';

it('a signal has one listener, however many wait for it, and none when nobody does', () => {
  const listeners = new AbortListeners();
  const controller = new AbortController();
  const { signal } = controller;
  const called: number[] = [];
  const listening = (): number => getEventListeners(signal, 'abort').length;
  const releases = Array.from({ length: 20 }, (_, n) => listeners.add(signal, () => called.push(n)));
  expect(listening()).toBe(1);
  for (const release of releases) release();
  for (const release of releases) release();
  expect(listening()).toBe(0);
  const [first] = [1, 2, 3].map((n) => listeners.add(signal, () => called.push(n)));
  first?.();
  controller.abort();
  expect(called).toEqual([2, 3]);
  expect(listening()).toBe(0);
});
