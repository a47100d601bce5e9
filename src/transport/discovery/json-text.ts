/**
 * Reads JSON and remembers where each value stands, so that an error can name line, column and field. The parser of the
 * language does not say where, and takes a key that occurs twice.
 * @see RFC 8259
 */

/** Where something stands in a text; both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A text that is not JSON. The message does not name the place. */
export class JsonTextError extends Error {
  override readonly name = 'JsonTextError';
  readonly place: Place;

  constructor(message: string, place: Place) {
    super(message);
    this.place = place;
  }
}

export interface JsonText {
  readonly value: unknown;
  /** Where the value of a field stands: `placeOf(['nodes', 0, 'id'])`. A field that is missing is where its parent is. */
  placeOf(path: readonly PropertyKey[]): Place;
}

const DEPTH_MAX = 32;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them in strings.
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"/y;
const SPACE = /[ \t\r\n]*/y;

/** @throws JsonTextError */
export function parseJsonText(text: string): JsonText {
  const places = new Map<string, number>();
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  /** Where each line begins, once somebody asks for a place: of a long list, every value may be asked for. */
  let lines: readonly number[] | null = null;

  function placeAt(offset: number): Place {
    lines ??= lineStarts(text);
    let [line, beyond] = [0, lines.length];
    while (beyond - line > 1) {
      const middle = (line + beyond) >> 1;
      if ((lines[middle] as number) <= offset) line = middle;
      else beyond = middle;
    }
    return { line: line + 1, column: offset - (lines[line] as number) + 1 };
  }

  function refuse(message: string, offset = at): never {
    throw new JsonTextError(message, placeAt(offset));
  }

  function match(pattern: RegExp): string | null {
    pattern.lastIndex = at;
    const [found] = pattern.exec(text) ?? [];
    if (found === undefined) return null;
    at += found.length;
    return found;
  }

  function skip(): void {
    match(SPACE);
    if (text.startsWith('//', at) || text.startsWith('/*', at)) refuse('JSON has no comments: remove this one');
  }

  function expected(what: string): never {
    const found = text.codePointAt(at);
    refuse(
      found === undefined
        ? `the text ends where ${what} is expected`
        : `expected ${what}, found ${JSON.stringify(String.fromCodePoint(found))}`,
    );
  }

  function string(): string {
    const start = at;
    const found = match(STRING);
    if (found === null)
      refuse('a string that does not end on its line, or with an escape that JSON does not have', start);
    return JSON.parse(found) as string;
  }

  function members(close: string, member: () => void): void {
    at += 1;
    skip();
    if (text[at] === close) {
      at += 1;
      return;
    }
    for (;;) {
      member();
      skip();
      if (text[at] === close) break;
      if (text[at] !== ',') expected(`',' or '${close}'`);
      at += 1;
      skip();
      if (text[at] === close) refuse(`a ',' before '${close}', where JSON has none`, at);
    }
    at += 1;
  }

  function value(path: string, depth: number): unknown {
    skip();
    if (depth > DEPTH_MAX) refuse(`nested more than ${DEPTH_MAX} deep`);
    places.set(path, at);
    const first = text[at];
    if (first === '"') return string();
    if (first === '[') {
      const items: unknown[] = [];
      members(']', () => items.push(value(`${path}/${items.length}`, depth + 1)));
      return items;
    }
    if (first === '{') {
      const fields: Record<string, unknown> = {};
      members('}', () => {
        if (text[at] !== '"') expected('a field name in double quotes');
        const start = at;
        const key = string();
        if (key === '__proto__') refuse('a field must not be called __proto__', start);
        if (Object.hasOwn(fields, key)) refuse(`the field ${JSON.stringify(key)} occurs twice`, start);
        skip();
        if (text[at] !== ':') expected("':'");
        at += 1;
        fields[key] = value(`${path}/${key}`, depth + 1);
      });
      return fields;
    }
    for (const [word, meaning] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (!text.startsWith(word, at)) continue;
      at += word.length;
      return meaning;
    }
    const number = match(NUMBER);
    return number === null ? expected('a value') : Number(number);
  }

  const root = value('', 0);
  skip();
  if (at < text.length) expected('the end of the text');
  return {
    value: root,
    placeOf(path) {
      for (let length = path.length; length >= 0; length -= 1) {
        const offset = places.get(
          path
            .slice(0, length)
            .map((key) => `/${String(key)}`)
            .join(''),
        );
        if (offset !== undefined) return placeAt(offset);
      }
      return { line: 1, column: 1 };
    },
  };
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) starts.push(end + 1);
  return starts;
}
