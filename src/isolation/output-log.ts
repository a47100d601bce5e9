/** What isolates print, line by line into the log of their node: bounded for each attempt, and never on the node’s own stdout. */
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { type AttemptRef, plainText } from '../protocol/identifier.ts';
import type { Log } from '../protocol/ports.ts';

const LINE_CHARACTERS_MAX = 2_000;
const LINE_BYTES_MIN = 64;

type Stream = 'stdout' | 'stderr';

export class OutputLog {
  readonly #log: Log;
  readonly #bytesMax: number;
  #attempt: AttemptRef | null = null;
  #bytesLeft: number;

  constructor(log: Log, bytesMax: number) {
    this.#log = log;
    this.#bytesMax = bytesMax;
    this.#bytesLeft = bytesMax;
  }

  /** From now on, what is printed is this attempt’s. */
  begin({ taskId, attempt }: AttemptRef): void {
    this.#attempt = { taskId, attempt };
    this.#bytesLeft = this.#bytesMax;
  }

  /** Reads a stream to its end, also beyond what is logged: a full pipe would block the handler. */
  read(source: Readable, stream: Stream): void {
    const decoder = new StringDecoder('utf8');
    let rest = '';
    source.on('data', (bytes: Buffer) => {
      if (this.#bytesLeft <= 0) {
        rest = '';
        return;
      }
      const lines = (rest + decoder.write(bytes)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#line(stream, line);
      if (rest.length > LINE_CHARACTERS_MAX) {
        this.#line(stream, rest);
        rest = '';
      }
    });
    source.on('end', () => {
      if (rest !== '') this.#line(stream, rest);
    });
    source.on('error', () => {});
  }

  #line(stream: Stream, line: string): void {
    if (this.#bytesLeft <= 0) return;
    this.#bytesLeft -= Math.max(LINE_BYTES_MIN, Buffer.byteLength(line));
    const text = plainText(line.replace(/\r$/, ''), LINE_CHARACTERS_MAX);
    this.#log.info('handler.output', { ...this.#attempt, stream, text });
    if (this.#bytesLeft <= 0) {
      this.#log.warn('handler.output-truncated', { ...this.#attempt, bytesMax: this.#bytesMax });
    }
  }
}
