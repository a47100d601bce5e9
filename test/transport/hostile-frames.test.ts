import { performance } from 'node:perf_hooks';
import { afterAll, describe, expect, it } from 'vitest';
import { PincerError } from '../../src/protocol/failure.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { decodeFrame, decodePayload } from '../../src/transport/codec.ts';
import { honestFrame, hostileFrames } from '../support/hostile-frames.ts';

/** Far above what any frame takes on a busy machine, far below what a stall takes. */
const FRAME_MS_MAX = 100;

const slowest = { name: '', ms: 0 };
let totalMs = 0;

describe('a hostile frame', () => {
  const frames = hostileFrames();

  it.each(frames.map((frame) => [frame.name, frame.bytes] as const))('is refused: %s', (name, bytes) => {
    const decode = (): unknown => decodeFrame(bytes, defaultLimits);
    const error = thrownBy(decode);
    expect(error).toBeInstanceOf(PincerError);
    expect((error as PincerError).code).toBe(name === 'more than 1 MiB' ? 'FRAME_TOO_LARGE' : 'FRAME_INVALID');
    // The reason and the place, never the content.
    expect((error as PincerError).message.length).toBeLessThan(120);
    expectCleanPrototypes();

    const ms = fastestMs(() => thrownBy(decode));
    totalMs += ms;
    if (ms > slowest.ms) Object.assign(slowest, { name, ms });
    expect(ms).toBeLessThan(FRAME_MS_MAX);
  });

  it.each(frames.map((frame) => [frame.name, frame.bytes] as const))(
    'does a payload’s reader no harm: %s',
    (_name, bytes) => {
      // As a payload some are well-formed: a payload may be any value.
      const error = thrownBy(() => decodePayload(bytes, defaultLimits));
      if (error !== undefined) expect(error).toMatchObject({ name: 'PincerError', code: 'PAYLOAD_INVALID' });
      expectCleanPrototypes();
    },
  );

  it('is told apart from an honest one', () => {
    expect(decodeFrame(honestFrame(), defaultLimits)).toEqual([
      {
        id: 256,
        type: 'task_submit',
        timestamp: 1_700_000_000_000,
        payload: {
          payload: new Uint8Array([1, 2, 3]),
          needs: ['llm', 'gp'],
          at: new Date(1_700_000_000_000),
          flags: [false, true, null, -1],
          numbers: [-128, -32_768, 5, 200, 0],
        },
      },
    ]);
  });

  it('has a name and bytes of its own', () => {
    expect(new Set(frames.map((frame) => frame.name)).size).toBe(frames.length);
    expect(new Set(frames.map((frame) => Buffer.from(frame.bytes).toString('base64'))).size).toBe(frames.length);
  });

  afterAll(() => {
    const { name, ms } = slowest;
    console.info(
      `${frames.length} hostile frames: ${totalMs.toFixed(1)} ms in all; slowest ${ms.toFixed(2)} ms (${name})`,
    );
  });
});

function thrownBy(act: () => unknown): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** The fastest of three: what it takes at least is its own doing, and the rest that of the machine. */
function fastestMs(act: () => unknown): number {
  const times = [0, 0, 0].map(() => {
    const start = performance.now();
    act();
    return performance.now() - start;
  });
  return Math.min(...times);
}

function expectCleanPrototypes(): void {
  expect('polluted' in {}).toBe(false);
  expect('polluted' in []).toBe(false);
  expect('polluted' in Function.prototype).toBe(false);
}
