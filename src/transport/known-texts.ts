/**
 * Short texts that come again and again, such as the types of tasks and the names of nodes: found again by their bytes
 * instead of being made anew. However many there are, it keeps no more than one for each of its places.
 */

/** Bytes as Node has them: what its types do not name is a quarter faster than `toString('latin1')`. */
export type Latin1Bytes = Buffer & { latin1Slice(start: number, end: number): string };

/** The texts of one alphabet. */
export class KnownTexts {
  static readonly #PLACES = 256;
  /** By byte: 1 if it may be in a text. */
  readonly #alphabet = new Uint8Array(256);
  readonly #texts: string[] = Array<string>(KnownTexts.#PLACES).fill('');

  /** @param letters one byte each in latin1 */
  constructor(letters: string) {
    for (const letter of letters) this.#alphabet[letter.charCodeAt(0)] = 1;
  }

  /** The text of these bytes, or null if one of them is not of the alphabet. */
  textOf(bytes: Latin1Bytes, start: number, end: number): string | null {
    let hash = end - start;
    for (let index = start; index < end; index += 1) {
      const letter = bytes[index] as number;
      if (this.#alphabet[letter] === 0) return null;
      hash = (Math.imul(hash, 31) + letter) | 0;
    }
    const place = hash & (KnownTexts.#PLACES - 1);
    const known = this.#texts[place] as string;
    if (isWritten(known, bytes, start, end)) return known;
    const text = bytes.latin1Slice(start, end);
    this.#texts[place] = text;
    return text;
  }

  /** As `textOf`, for texts that do not come again. */
  newTextOf(bytes: Latin1Bytes, start: number, end: number): string | null {
    for (let index = start; index < end; index += 1) {
      if (this.#alphabet[bytes[index] as number] === 0) return null;
    }
    return bytes.latin1Slice(start, end);
  }
}

function isWritten(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  const { length } = text;
  if (length !== end - start) return false;
  for (let index = 0; index < length; index += 1) if (text.charCodeAt(index) !== bytes[start + index]) return false;
  return true;
}
