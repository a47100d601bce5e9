import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BoundedText } from '../../src/handlers/bounded-text.ts';

const decode = (bytes: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);

/** Adds the bytes in chunks that end at the given places. */
function add(kept: BoundedText, bytes: Uint8Array, cuts: readonly number[]): string[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const borders = [0, ...places, bytes.length];
  return [...borders.slice(1).map((border, index) => kept.add(bytes.subarray(borders[index], border))), kept.end()];
}

const seed = Date.now() & 0x7fffffff;

describe(`bounded text (seed ${seed})`, () => {
  const someBytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => new TextEncoder().encode(text)),
    // Mostly lead and continuation bytes: what is wrong in every way that UTF-8 can be.
    fc
      .array(fc.constantFrom(0x41, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9d, 0x84, 0x9e, 0xff), { maxLength: 40 })
      .map((bytes) => Uint8Array.from(bytes)),
  );
  const cuts = fc.array(fc.nat(60), { maxLength: 8 });

  it('is what the whole stream decodes to, wherever the chunks end', () => {
    fc.assert(
      fc.property(someBytes, cuts, (bytes, places) => {
        const kept = new BoundedText(1_000);
        const added = add(kept, bytes, places);
        expect(kept.text).toBe(decode(bytes));
        expect(added.join('')).toBe(kept.text);
        expect(kept.isTruncated).toBe(false);
      }),
      { seed, numRuns: 2_000 },
    );
  });

  it('never takes more bytes than its limit, cuts between characters, and says that it did', () => {
    fc.assert(
      fc.property(someBytes, cuts, fc.integer({ min: 1, max: 40 }), (bytes, places, bytesMax) => {
        const kept = new BoundedText(bytesMax);
        const added = add(kept, bytes, places);
        const whole = decode(bytes);
        const size = Buffer.byteLength(kept.text);
        expect(added.join('')).toBe(kept.text);
        expect(whole.startsWith(kept.text)).toBe(true);
        expect(size).toBeLessThanOrEqual(bytesMax);
        expect(kept.isTruncated).toBe(Buffer.byteLength(whole) > bytesMax);
        // No room is wasted but for a character that would not fit whole.
        if (kept.isTruncated) expect(size).toBeGreaterThan(bytesMax - 4);
        expect(decode(new TextEncoder().encode(kept.text))).toBe(kept.text);
      }),
      { seed, numRuns: 2_000 },
    );
  });
});
