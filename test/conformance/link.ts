/**
 * The contract of src/transport/link.ts as a suite. Every kind of link runs it: `open` connects two ends over it, and
 * both take their time from one clock, which only `pass` moves past what was scheduled.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { Link } from '../../src/transport/link.ts';

export interface LinkPair {
  readonly near: Link;
  readonly far: Link;
  /** The largest frame both take. */
  readonly frameBytesMax: number;
  /** Lets time pass for both ends. */
  pass(ms: number): void;
  close(): Promise<void>;
}

/** What a link has told, in order: frames by their text, `drain`, `close CODE REASON`. */
interface Told {
  readonly events: string[];
  readonly frames: Uint8Array[];
  drains: number;
}

export function linkConformance(name: string, open: () => Promise<LinkPair>): void {
  describe(`${name} keeps the link contract`, () => {
    const pairs: LinkPair[] = [];
    const opened = async (): Promise<LinkPair> => {
      const pair = await open();
      pairs.push(pair);
      return pair;
    };
    afterEach(async () => {
      for (const pair of pairs.splice(0)) await pair.close();
    });

    it('delivers whole frames in the order they were sent, both ways', async () => {
      const { near, far } = await opened();
      const toldNear = listen(near);
      const toldFar = listen(far);
      const numbers = Array.from({ length: 500 }, (_, number) => String(number));
      for (const number of numbers) {
        near.send(text(number));
        far.send(text(number));
      }
      await expect.poll(() => toldFar.events).toEqual(numbers);
      await expect.poll(() => toldNear.events).toEqual(numbers);
    });

    it('keeps frames that come before attach, and delivers them then', async () => {
      const { near, far } = await opened();
      const toldNear = listen(near);
      near.send(text('one'));
      near.send(text('two'));
      far.send(text('back'));
      await expect.poll(() => toldNear.events).toEqual(['back']);
      const toldFar = listen(far);
      expect(toldFar.events).toEqual([]);
      await expect.poll(() => toldFar.events).toEqual(['one', 'two']);
    });

    it('carries a frame of the largest size, byte for byte', async () => {
      const { near, far, frameBytesMax } = await opened();
      const toldFar = listen(far);
      const frame = Uint8Array.from({ length: frameBytesMax }, (_, at) => (at * 31) % 251);
      near.send(frame);
      await expect.poll(() => toldFar.frames.length).toBe(1);
      expect(Buffer.compare(toldFar.frames[0] as Uint8Array, frame)).toBe(0);
    });

    it('lets the sender use its bytes again once they are sent', async () => {
      const { near, far } = await opened();
      const toldFar = listen(far);
      const bytes = text('as it was');
      near.send(bytes);
      await expect.poll(() => toldFar.events).toEqual(['as it was']);
      bytes.fill(0);
      expect(Buffer.from(toldFar.frames[0] as Uint8Array).toString()).toBe('as it was');
    });

    it('delivers what was sent before close, then tells both ends the code and the reason', async () => {
      const { near, far } = await opened();
      const toldNear = listen(near);
      const toldFar = listen(far);
      near.send(text('last words'));
      near.close(4412, 'about to stop');
      expect(near.isOpen).toBe(false);
      await expect.poll(() => toldFar.events).toEqual(['last words', 'close 4412 about to stop']);
      await expect.poll(() => toldNear.events).toEqual(['close 4412 about to stop']);
      expect(far.isOpen).toBe(false);
    });

    it('tells of the end once, and last, whoever closes how often', async () => {
      const { near, far } = await opened();
      const toldNear = listen(near);
      const toldFar = listen(far);
      near.close(1000, 'first');
      near.close(4400, 'second');
      far.close(1000, 'first');
      await expect
        .poll(() => [...toldNear.events, ...toldFar.events])
        .toEqual(['close 1000 first', 'close 1000 first']);
      near.terminate();
      far.close(4400, 'third');
      near.send(text('too late'));
      far.send(text('too late'));
      await turns();
      expect([...toldNear.events, ...toldFar.events]).toEqual(['close 1000 first', 'close 1000 first']);
    });

    it('drops what is sent after close, silently', async () => {
      const { near, far } = await opened();
      const toldFar = listen(far);
      near.close(1000, '');
      near.send(text('too late'));
      await expect.poll(() => toldFar.events).toEqual(['close 1000 ']);
    });

    it('ends both ends with 1006 when one terminates', async () => {
      const { near, far } = await opened();
      const toldNear = listen(near);
      const toldFar = listen(far);
      near.terminate();
      near.terminate();
      expect(near.isOpen).toBe(false);
      await expect.poll(() => toldNear.events).toEqual(['close 1006 ']);
      await expect.poll(() => toldFar.events.map((event) => event.slice(0, 10))).toEqual(['close 1006']);
    });

    it('tells an end that attaches late that its link has ended', async () => {
      const { near, far } = await opened();
      const toldNear = listen(near);
      near.send(text('before'));
      near.close(1000, 'early');
      const toldFar = listen(far);
      await expect.poll(() => toldFar.events).toEqual(['before', 'close 1000 early']);
      await expect.poll(() => toldNear.events).toEqual(['close 1000 early']);
    });

    it('cuts the link when a close stays unanswered for 2 s', async () => {
      const { near, far, pass } = await opened();
      const toldNear = listen(near);
      const toldFar = listen(far);
      far.pause();
      near.close(1000, 'nobody reads this');
      await turns();
      pass(1_900);
      await turns();
      expect(toldNear.events).toEqual([]);
      pass(200);
      await expect.poll(() => toldNear.events).toEqual(['close 1006 ']);
      // Whether the other end is told while it does not read is the network’s affair; it is told once it does.
      far.resume();
      await expect.poll(() => toldFar.events.length).toBe(1);
    });

    it('answers a close that comes while it is closing', async () => {
      const { near, far } = await opened();
      const toldNear = listen(near);
      const toldFar = listen(far);
      near.close(1000, 'both');
      far.close(1000, 'both');
      await expect.poll(() => toldNear.events).toEqual(['close 1000 both']);
      await expect.poll(() => toldFar.events).toEqual(['close 1000 both']);
    });

    it('delivers nothing while it is paused, and loses nothing', async () => {
      const { near, far } = await opened();
      const toldNear = listen(near);
      const toldFar = listen(far, (event) => event === '2' && far.pause());
      for (const number of ['1', '2', '3', '4']) near.send(text(number));
      far.send(text('echo'));
      await expect.poll(() => toldNear.events).toEqual(['echo']);
      await expect.poll(() => toldFar.events).toEqual(['1', '2']);
      await turns();
      expect(toldFar.events).toEqual(['1', '2']);
      far.resume();
      expect(toldFar.events).toEqual(['1', '2']);
      await expect.poll(() => toldFar.events).toEqual(['1', '2', '3', '4']);
    });

    it('shows unsent bytes while the peer does not read, and tells when they drain', async () => {
      const { near, far, frameBytesMax } = await opened();
      const toldNear = listen(near);
      const toldFar = listen(far);
      expect(near.bufferedBytes).toBe(0);
      far.pause();
      await turns();
      // More than the buffers of any kernel on the way.
      const frame = new Uint8Array(frameBytesMax);
      for (let count = 0; count < 24; count++) near.send(frame);
      await turns();
      const full = near.bufferedBytes;
      expect(full).toBeGreaterThan(frameBytesMax);
      const drainsBefore = toldNear.drains;
      far.resume();
      await expect.poll(() => near.bufferedBytes, { timeout: 10_000 }).toBe(0);
      await expect.poll(() => toldFar.frames.length).toBe(24);
      expect(toldNear.drains).toBeGreaterThan(drainsBefore);
    });

    it('never calls its owner from within a call of the owner', async () => {
      const { near, far } = await opened();
      let isInside = false;
      const seen: string[] = [];
      const inside = (act: () => void): void => {
        isInside = true;
        act();
        isInside = false;
      };
      const note = (event: string): void => {
        seen.push(`${event}${isInside ? ' (inside)' : ''}`);
      };
      const watch = (link: Link): void =>
        inside(() =>
          link.attach({
            onFrame: (frame) => note(`frame ${Buffer.from(frame).toString()}`),
            onClose: () => note('close'),
            onDrain: () => note('drain'),
          }),
        );
      inside(() => far.send(text('early')));
      await turns();
      watch(near);
      watch(far);
      inside(() => {
        near.send(text('x'));
        far.pause();
        far.resume();
      });
      await expect.poll(() => seen).toContain('frame x');
      inside(() => near.terminate());
      inside(() => far.close(1000, ''));
      await expect.poll(() => seen.filter((event) => event === 'close').length).toBe(2);
      expect(seen.filter((event) => event.endsWith('(inside)'))).toEqual([]);
    });

    it('keeps its calls in order when the owner acts within one', async () => {
      const { near, far } = await opened();
      const toldNear = listen(near);
      const toldFar = listen(far, (event) => {
        far.send(text(`re ${event}`));
        if (event === '3') far.close(1000, 'enough');
      });
      for (const number of ['1', '2', '3']) near.send(text(number));
      await expect.poll(() => toldNear.events).toEqual(['re 1', 're 2', 're 3', 'close 1000 enough']);
      await expect.poll(() => toldFar.events).toEqual(['1', '2', '3', 'close 1000 enough']);
    });

    it('says where the other end is and who it is', async () => {
      const { near, far } = await opened();
      for (const link of [near, far]) {
        expect(link.remoteAddress).not.toBe('');
        expect(link.identity.name).not.toBe('');
      }
    });
  });
}

function listen(link: Link, act: (event: string) => void = () => {}): Told {
  const told: Told = { events: [], frames: [], drains: 0 };
  const note = (event: string): void => {
    told.events.push(event);
    act(event);
  };
  link.attach({
    onFrame(frame) {
      told.frames.push(Uint8Array.from(frame));
      note(Buffer.from(frame.subarray(0, 64)).toString());
    },
    onClose: (code, reason) => note(`close ${code} ${reason}`),
    onDrain() {
      told.drains++;
    },
  });
  return told;
}

function text(content: string): Uint8Array {
  return new Uint8Array(Buffer.from(content));
}

/** Lets the event loop turn a few times: enough for what is on its way within one machine. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}
