/** How commands speak: results on stdout, everything else on stderr; peers’ text made safe for a terminal. */
import process from 'node:process';
import Table from 'cli-table3';
import { PincerError, plainText } from '../client.ts';
import { onStderr, onStdout } from './colours.ts';

export interface Output {
  readonly isJson: boolean;
  /** A result: one line of JSON, or text for people. */
  result(value: unknown, text: () => string): void;
  /** A word about what is going on, for people only. */
  say(text: string): void;
  /** What a running task writes, for people only: as it comes, without a line end of its own. */
  pass(text: string): void;
  /** What went wrong, why, and what to do about it. */
  fail(error: PincerError): void;
}

export function createOutput(options: { json?: boolean | undefined; quiet?: boolean | undefined }): Output {
  const isJson = options.json === true;
  return {
    isJson,
    result(value, text) {
      process.stdout.write(`${isJson ? toJson(value) : text()}\n`);
    },
    say(text) {
      if (!isJson && options.quiet !== true) process.stderr.write(`${text}\n`);
    },
    pass(text) {
      if (!isJson && options.quiet !== true) process.stderr.write(printable(text));
    },
    fail(error) {
      const { code, message, hint } = error;
      if (isJson) {
        process.stderr.write(`${toJson({ error: { code, message, hint, retryable: error.retryable } })}\n`);
        return;
      }
      const { red, dim } = onStderr;
      process.stderr.write(`${red('error')} ${plainText(message, 2_000)} ${dim(`(${plainText(code)})`)}\n`);
      if (hint !== '') process.stderr.write(`${dim('→')} ${plainText(hint, 2_000)}\n`);
    },
  };
}

/** JSON on one line; bytes as base64, so that every result can be printed. */
export function toJson(value: unknown): string {
  return escaped(JSON.stringify(value, replaceBytes) ?? 'null');
}

/** JSON for people, indented. */
export function toPrettyJson(value: unknown): string {
  return escaped(JSON.stringify(value, replaceBytes, 2) ?? 'null');
}

// JSON itself escapes C0 only. These stand inside strings if anywhere, so that the escape means the same text: DEL and C1
// controls (0x9b begins a terminal sequence), bidirectional marks, line separators.
const UNSAFE_IN_JSON = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

function escaped(json: string): string {
  return json.replace(UNSAFE_IN_JSON, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Peer text of many lines made safe for a terminal: line ends and tabs stay, what could move the cursor does not. */
export function printable(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .split(/([\n\t])/)
    .map((part) => (part === '\n' || part === '\t' ? part : plainText(part, Number.POSITIVE_INFINITY)))
    .join('');
}

function replaceBytes(this: unknown, key: string, value: unknown): unknown {
  const original: unknown = (this as Record<string, unknown>)[key];
  if (original instanceof Uint8Array) return Buffer.from(original).toString('base64');
  return value instanceof PincerError
    ? { code: value.code, message: value.message, retryable: value.retryable }
    : value;
}

/** A table as wide as the terminal, or as wide as it needs with `wide`. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[], wide = false): string {
  const cells = rows.map((row) => row.map((cell) => plainText(String(cell), 500)));
  const widths = head.map((name, column) => Math.max(name.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const columnsMax = wide || !process.stdout.isTTY ? Number.POSITIVE_INFINITY : process.stdout.columns;
  // The widest column gives way until the row fits.
  const width = (): number => widths.reduce((sum, one) => sum + one + 2, 0);
  while (width() > columnsMax) {
    const widest = widths.indexOf(Math.max(...widths));
    if ((widths[widest] ?? 0) <= 8) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  const drawn = new Table({
    head: head.map((name) => onStdout.bold(name)),
    colWidths: widths.map((one) => one + 2),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2, compact: true },
    chars: Object.fromEntries(
      [
        'top',
        'top-mid',
        'top-left',
        'top-right',
        'bottom',
        'bottom-mid',
        'bottom-left',
        'bottom-right',
        'left',
        'left-mid',
        'mid',
        'mid-mid',
        'right',
        'right-mid',
        'middle',
      ].map((name) => [name, '']),
    ),
  });
  for (const row of cells) drawn.push(row);
  return drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** A duration for people: `12 ms`, `3.4 s`, `5 min`, `2 h`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}
