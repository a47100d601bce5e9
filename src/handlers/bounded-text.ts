/** The text of a byte stream, decoded as UTF-8 across chunk borders and kept up to a number of bytes. */
import { StringDecoder } from 'node:string_decoder';

const encoder = new TextEncoder();

export class BoundedText {
  readonly #decoder = new StringDecoder('utf8');
  readonly #parts: string[] = [];
  #bytesLeft: number;
  #isTruncated = false;

  constructor(bytesMax: number) {
    this.#bytesLeft = bytesMax;
  }

  /** Whether something was dropped. */
  get isTruncated(): boolean {
    return this.#isTruncated;
  }

  /** Everything kept so far. */
  get text(): string {
    return this.#parts.join('');
  }

  /** Takes a chunk; returns the text it added, which is empty while a character is incomplete and once the room is used up. */
  add(chunk: Uint8Array): string {
    if (this.#isTruncated) return '';
    return this.#keep(this.#decoder.write(chunk));
  }

  /** Takes the end of the stream; returns the text that it added: a character left incomplete counts as invalid. */
  end(): string {
    if (this.#isTruncated) return '';
    return this.#keep(this.#decoder.end());
  }

  // The room is counted in bytes of the decoded text, because that is what travels: one invalid byte becomes three.
  #keep(text: string): string {
    const bytes = Buffer.byteLength(text);
    let kept = text;
    if (bytes > this.#bytesLeft) {
      this.#isTruncated = true;
      const { read } = encoder.encodeInto(text, new Uint8Array(this.#bytesLeft));
      kept = text.slice(0, read);
    }
    this.#bytesLeft -= Math.min(bytes, this.#bytesLeft);
    if (kept !== '') this.#parts.push(kept);
    return kept;
  }
}
