/**
 * Frames that nobody honest sends, built byte by byte: each once held up, misled or crashed some msgpack decoder. They
 * run against the codec, and over real sockets against a gateway.
 */

export interface HostileFrame {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** What it does to a decoder that is not on its guard. */
  readonly why: string;
}

const MIB = 1_048_576;

// Tokens, by the names of the msgpack specification.
const NIL = 0xc0;
const str = (text: string): number[] => [0xa0 | text.length, ...ascii(text)];
const ascii = (text: string): number[] => [...text].map((letter) => letter.charCodeAt(0));
const uint32 = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
const fixext = (type: number, content: readonly number[]): number[] => [
  0xd4 + Math.log2(content.length),
  type,
  ...content,
];
const ext8 = (type: number, content: readonly number[]): number[] => [0xc7, content.length, type, ...content];
const map = (...members: readonly number[][]): number[] => [0x80 | (members.length / 2), ...members.flat()];
const array = (...members: readonly number[][]): number[] => [0x90 | members.length, ...members.flat()];

/** Every hostile frame. Fresh bytes on each call. */
export function hostileFrames(): readonly HostileFrame[] {
  return [
    ...framesThatNest(),
    ...framesThatLie(),
    ...framesWithKeys(),
    ...framesWithExtensions(),
    ...framesWithReferences(),
    ...framesOfTheWrongShape(),
    ...truncatedFrames(),
  ];
}

/** One honest frame, as the mould of the truncated ones: every kind of token there is. */
export function honestFrame(): Uint8Array {
  return bytesOf(
    array(
      map(
        str('id'),
        [0xcd, 0x01, 0x00],
        str('type'),
        str('task_submit'),
        str('timestamp'),
        [0xcb, 0x42, 0x78, 0xbc, 0xfe, 0x56, 0x80, 0, 0],
        str('payload'),
        map(
          str('payload'),
          [0xc4, 3, 1, 2, 3],
          str('needs'),
          array([0xd9, 3, ...ascii('llm')], [0xda, 0, 2, ...ascii('gp')]),
          str('at'),
          [0xd6, 0xff, ...uint32(1_700_000_000)],
          str('flags'),
          [0xdc, 0, 4, 0xc2, 0xc3, NIL, 0xff],
          str('numbers'),
          array([0xd0, 0x80], [0xd1, 0x80, 0], [0xd2, ...uint32(5)], [0xcc, 200], [0xca, 0, 0, 0, 0]),
        ),
      ),
    ),
  );
}

function framesThatNest(): HostileFrame[] {
  const deep = (name: string, opening: readonly number[], levels: number, inside: readonly number[]): HostileFrame => ({
    name: `${levels} nested ${name}`,
    bytes: bytesOf(repeat(opening, levels), inside),
    why: 'recursion: a decoder, or whatever walks the value later, runs out of stack',
  });
  const levels = [33, 1_000, 10_000, 100_000, 1_000_000];
  return [
    ...levels.map((depth) => deep('arrays', [0x91], depth, [NIL])),
    ...levels.map((depth) => deep('maps', [0x81, 0xa0], Math.min(depth, 500_000), [NIL])),
    deep('arrays of 16 bits', [0xdc, 0, 1], 100_000, [NIL]),
    deep('maps that end open', [0x81, 0xa0], 100_000, []),
    {
      name: 'a map as its own key, 1000 deep',
      bytes: bytesOf([0x91], repeat([0x81], 1_000)),
      why: 'recursion in keys',
    },
    {
      name: '1 MiB of empty maps',
      bytes: bytesOf([0xdd, ...uint32(MIB - 5)], repeat([0x80], MIB - 5)),
      why: '64 bytes of memory for each byte on the wire',
    },
    {
      name: '1 MiB of nil',
      bytes: bytesOf([0xdd, ...uint32(MIB - 5)], repeat([NIL], MIB - 5)),
      why: '8 bytes of memory for each byte on the wire',
    },
    {
      name: '1 MiB of one-member maps',
      bytes: bytesOf([0xdd, ...uint32(262_142)], repeat([0x81, 0xa1, 0x61, 0x01], 262_142)),
      why: 'objects by the hundred thousand',
    },
  ];
}

function framesThatLie(): HostileFrame[] {
  const lengths: readonly [string, number][] = [
    ['array 32', 0xdd],
    ['map 32', 0xdf],
    ['str 32', 0xdb],
    ['bin 32', 0xc6],
    ['ext 32', 0xc9],
  ];
  const most = [0xff, 0xff, 0xff, 0xff];
  return [
    ...lengths.map(([kind, token]) => ({
      name: `${kind} of 4 294 967 295`,
      bytes: bytesOf([0x91, token, ...most, 0xff]),
      why: 'memory is set aside for what never comes',
    })),
    ...lengths.map(([kind, token]) => ({
      name: `${kind} of 4 294 967 295 at the root`,
      bytes: bytesOf([token, ...most]),
      why: 'as above',
    })),
    {
      name: 'nested arrays that each claim the rest of the frame',
      bytes: bytesOf(repeat([0xdd, ...uint32(8_000)], 30), repeat([NIL], 8_000)),
      why: 'each claim is honest by itself; together they set aside thirty times the frame',
    },
    { name: 'a string longer than the frame by one', bytes: bytesOf([0x91, 0xa5, ...ascii('four')]), why: 'reads on' },
    {
      name: 'one byte left over',
      bytes: bytesOf([0x91, 0x80, NIL]),
      why: 'msgpackr prints the whole value into its error',
    },
    {
      name: '1 MiB of string and one byte left over',
      bytes: bytesOf([0x91, 0xdb, ...uint32(MIB - 7)], repeat([0x22], MIB - 7), [NIL]),
      why: 'as above, and each character is escaped',
    },
    {
      name: 'two frames in one',
      bytes: bytesOf([0x91, 0x80], [0x91, 0x80]),
      why: 'what one side reads, another does not',
    },
  ];
}

function framesWithKeys(): HostileFrame[] {
  const proto = ascii('__proto__');
  const polluted = map(str('polluted'), [0xc3]);
  const keyed = (
    name: string,
    key: readonly number[],
    why: string,
    value: readonly number[] = polluted,
  ): HostileFrame => ({
    name,
    bytes: bytesOf([0x91, 0x81], key, value),
    why,
  });
  const pollutes = 'changes the prototype, or merges with a key of nearly the same name';
  const differs = 'one decoder makes a string of it, another does not: they read different messages';
  return [
    keyed('__proto__ as fixstr', [0xa9, ...proto], pollutes),
    keyed('__proto__ as str 8', [0xd9, 9, ...proto], pollutes),
    keyed('__proto__ as str 16', [0xda, 0, 9, ...proto], pollutes),
    keyed('__proto__ as str 32', [0xdb, 0, 0, 0, 9, ...proto], pollutes),
    keyed('__proto__ as bin 8', [0xc4, 9, ...proto], pollutes),
    {
      name: '__proto__ in a map 16 and a map 32, deep inside',
      bytes: bytesOf([0x91, 0x81, 0xa1, 0x61, 0xde, 0, 1, 0xa1, 0x62, 0xdf, 0, 0, 0, 1, 0xa9, ...proto], polluted),
      why: pollutes,
    },
    keyed('an array as a key', [0x91, 0x01], 'msgpackr < 1.10.1 recurses without end (CVE-2023-52079)'),
    keyed('a map as a key', [0x80], differs),
    keyed('an integer as a key', [0x07], differs),
    keyed('a negative integer as a key', [0xff], differs),
    keyed('a 64-bit integer as a key', [0xcf, ...repeat([0xff], 8)], differs),
    keyed('a float as a key', [0xcb, ...repeat([0x40], 8)], differs),
    keyed('nil as a key', [NIL], differs),
    keyed('true as a key', [0xc3], differs),
    keyed('a timestamp as a key', [0xd6, 0xff, 0, 0, 0, 1], differs),
    keyed('a key of 129 bytes', [0xd9, 129, ...repeat([0x61], 129)], 'keys are interned, and kept'),
    keyed('a key of 1 MiB', [0xdb, ...uint32(MIB - 8), ...repeat([0x61], MIB - 8)], 'as above', [NIL]),
    keyed(
      'a bigint of 1 MiB as a key',
      [0xc9, ...uint32(MIB - 9), 0x42, ...repeat([0x7f], MIB - 9)],
      'msgpackr: 2.5 s',
      [NIL],
    ),
  ];
}

function framesWithExtensions(): HostileFrame[] {
  const extended = (name: string, bytes: readonly number[], why: string): HostileFrame => ({
    name,
    bytes: bytesOf([0x91], bytes),
    why,
  });
  const record = [0xd4, 0x72, 0x40];
  const timestamp = 'decodes to an Invalid Date, which throws when it is printed';
  return [
    extended(
      'a bigint of 1 MiB',
      [0xc9, ...uint32(MIB - 7), 0x42, ...repeat([0x7f], MIB - 7)],
      'decimal conversion: seconds',
    ),
    {
      name: 'a bigint of 1 MiB and one byte left over',
      bytes: bytesOf([0x91, 0xc9, ...uint32(MIB - 8), 0x42], repeat([0x7f], MIB - 8), [NIL]),
      why: 'as above, in the error message',
    },
    extended(
      'an error named valueOf',
      [0xd4, 0x65, 0, ...array(str('valueOf'), str('x'), [NIL])],
      'an internal table of msgpackr',
    ),
    extended(
      'an error named __lookupSetter__ as `then`',
      map(str('then'), [0xd4, 0x65, 0, ...array(str('__lookupSetter__'), str('then'), [NIL])]),
      'a live function: an async function that returns this never resolves',
    ),
    extended(
      'a regular expression',
      [0xd4, 0x78, 0, ...array(str('(a+)+$'), str(''))],
      'a pattern of the peer’s that never ends',
    ),
    extended('a set', [0xd4, 0x73, 0, ...array([1], [2])], 'not plain data'),
    extended('a typed array', ext8(0x74, [6, 0, 0, 0, 0, 0, 0, 0, 1]), 'not plain data'),
    extended('undefined as fixext 1 of type 0', [0xd4, 0, 0], 'not plain data'),
    extended(
      'bundled strings',
      [0xd6, 0x62, ...uint32(1), ...str('a'), ...str('b')],
      'moves the reader to where the peer says',
    ),
    extended('a record definition', [...record, ...array(str('a')), 1], 'later bytes mean what the peer says'),
    extended(
      'a record definition used again',
      [...record, ...array(str('__proto__')), 1, 0x40, 2],
      'code is compiled from its field names',
    ),
    extended('a record definition in two bytes', [0xd5, 0x72, 0x40, 0x01, ...array(str('a')), 1], 'as above'),
    extended('an ext 8 of type 1', ext8(1, [1, 2, 3]), 'means something to somebody'),
    extended('an ext 16', [0xc8, 0, 1, 5, 0], 'as above'),
    extended('an ext 32', [0xc9, 0, 0, 0, 1, 5, 0], 'as above'),
    extended('a fixext 16', fixext(1, repeat([0], 16)), 'as above'),
    extended('a timestamp of 1 byte', [0xd4, 0xff, 0], timestamp),
    extended('a timestamp of 2 bytes', [0xd5, 0xff, 0, 0], timestamp),
    extended('a timestamp of 16 bytes', fixext(0xff, repeat([0], 16)), timestamp),
    extended('a timestamp of 0 bytes', ext8(0xff, []), timestamp),
    extended('a timestamp of 11 bytes', ext8(0xff, repeat([0], 11)), timestamp),
    extended('a timestamp of 4 bytes as ext 8', ext8(0xff, [0, 0, 0, 1]), 'a second way to write the same'),
    extended('a timestamp beyond any date', ext8(0xff, [0, 0, 0, 0, 0x7f, ...repeat([0xff], 7)]), timestamp),
    extended('a timestamp before any date', ext8(0xff, [0, 0, 0, 0, 0x80, ...repeat([0], 7)]), timestamp),
    extended(
      'a timestamp of 2^30 nanoseconds',
      fixext(0xff, [...repeat([0xff], 4), 0, 0, 0, 1]),
      'a second that has more',
    ),
    extended('0xc1', [0xc1], 'the one byte that msgpack never uses'),
    extended('0xc1 as a string bundle of msgpackr', [0xc1, 0x05], 'as above'),
  ];
}

function framesWithReferences(): HostileFrame[] {
  // Each level is an array that is given an id and holds the level below twice: 2^levels values from a few bytes each.
  const doubling = (levels: number): number[] => {
    let inside = [0x01];
    for (let id = 1; id <= levels; id++) {
      const definition = [0xd6, 0x69, ...uint32(id), ...inside];
      inside = array(definition, [0xd6, 0x70, ...uint32(id)]);
    }
    return inside;
  };
  const why = 'msgpackr with structuredClone builds an exponential value, and prints it into its error: minutes';
  return [
    ...[22, 24, 40].map((levels) => ({
      name: `${levels} levels of doubling references and one byte left over`,
      bytes: bytesOf([0x91], doubling(levels), [NIL]),
      why,
    })),
    {
      name: '40 levels of doubling references',
      bytes: bytesOf([0x91], doubling(40)),
      why: 'whatever walks it later hangs',
    },
    {
      name: 'a reference to itself',
      bytes: bytesOf([0x91, 0xd6, 0x69, ...uint32(1), 0x91, 0xd6, 0x70, ...uint32(1)]),
      why: 'a cycle',
    },
    { name: 'a reference to nothing', bytes: bytesOf([0x91, 0xd6, 0x70, ...uint32(99)]), why: 'not plain data' },
  ];
}

function framesOfTheWrongShape(): HostileFrame[] {
  const why = 'a frame is an array of 1 to 4096 messages, of at most 1 MiB';
  return [
    { name: 'no byte at all', bytes: bytesOf([]), why: 'there is no first byte to look at' },
    { name: 'an array of no messages', bytes: bytesOf([0x90]), why },
    { name: 'a map in place of the array', bytes: bytesOf([0x80]), why },
    { name: 'a string in place of the array', bytes: bytesOf(str('hello')), why },
    { name: 'nil in place of the array', bytes: bytesOf([NIL]), why },
    { name: 'a small integer that could name a record', bytes: bytesOf([0x40]), why },
    { name: '4097 messages', bytes: bytesOf([0xdc, 0x10, 0x01], repeat([0x80], 4_097)), why },
    { name: 'more than 1 MiB', bytes: bytesOf([0x91, 0xc6, ...uint32(MIB), ...repeat([0], MIB)]), why },
    { name: 'text', bytes: bytesOf(ascii('{"type":"register"}')), why: 'JSON where msgpack should be' },
  ];
}

function truncatedFrames(): HostileFrame[] {
  const whole = honestFrame();
  return Array.from({ length: whole.length - 1 }, (_, at) => ({
    name: `an honest frame without its last ${whole.length - at - 1} bytes`,
    bytes: whole.slice(0, at + 1),
    why: 'a read past the end',
  }));
}

function repeat(piece: readonly number[], times: number): number[] {
  return Array.from({ length: piece.length * times }, (_, at) => piece[at % piece.length] as number);
}

function bytesOf(...pieces: readonly (readonly number[])[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
