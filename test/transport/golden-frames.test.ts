/**
 * Frames as they stand on the wire, byte by byte, for each message, question, order and answer: whoever writes a peer in another
 * language has them as test vectors, and whoever changes the wire sees it here. A new one is a file with an empty `hex`;
 * `npx vitest run test/transport/golden-frames.test.ts -u` fills it in. Frames of a released version of the protocol are
 * never edited, only added to (test/fixtures/frames/README.md): as long as a version is spoken, its frames are read.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { decode } from '@msgpack/msgpack';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { MESSAGES, type MessageType, PROTOCOL_VERSIONS, parseMessage } from '../../src/protocol/message.ts';
import { ANSWERS } from '../../src/protocol/query.ts';
import { decodeFrame, encodeFrame } from '../../src/transport/codec.ts';

interface GoldenFrame {
  readonly name: string;
  readonly meaning: string;
  readonly hex: string;
  /** As JSON; bytes are written `{ "$bin": "2a" }`. */
  readonly messages: readonly Readonly<Record<string, unknown>>[];
}

/** Fields that a schema has only because it is made from another: a broadcast answers nobody. */
const WITHOUT_MEANING = ['broadcast.reply', 'broadcast.error'];

const root = fileURLToPath(new URL('../fixtures/frames/', import.meta.url));
const [oldest, newest] = PROTOCOL_VERSIONS;
const versions = Array.from({ length: newest - oldest + 1 }, (_, index) => `v${oldest + index}`);
const everyFrame = versions.flatMap(framesOf);
/** Those of the newest version. */
const frames = everyFrame.filter(({ version }) => version === `v${newest}`);

describe.each(everyFrame)('the frame $version/$name', ({ version, ...frame }) => {
  const folder = `${root}${version}/`;
  const messages = frame.messages.map((message) => withBytes(message) as object);
  const bytes = new Uint8Array(Buffer.from(frame.hex, 'hex'));

  it('is what our encoder makes of its messages', async () => {
    const hex = Buffer.from(encodeFrame(messages)).toString('hex');
    await expect(asFile({ ...frame, hex })).toMatchFileSnapshot(`${folder}${frame.name}.json`);
  });

  it('is what our decoder makes its messages of, each of which fits its schema', () => {
    expect(decodeFrame(bytes, defaultLimits).map(parseMessage)).toEqual(messages);
  });

  it('means the same to another decoder', () => {
    expect(decode(bytes)).toEqual(messages);
    expect(decode(new Uint8Array(encodeFrame(messages)))).toEqual(messages);
  });

  it('has the name of its file, and says what it means', () => {
    expect(readdirSync(folder)).toContain(`${frame.name}.json`);
    expect(frame.meaning).toMatch(/\.$/);
  });
});

describe('the golden frames', () => {
  it('are kept for every version that is spoken, and no other', () => {
    const folders = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map(({ name }) => name).sort()).toEqual([...versions].sort());
  });

  const types = new Set(frames.flatMap(({ messages }) => messages.map(({ type }) => type)));

  it('show every message of the protocol', () => {
    expect([...types].sort()).toEqual(Object.keys(MESSAGES).sort());
  });

  it('show every field of every payload, at any depth, every question and order, and every value of a list of values', () => {
    const unseen = (Object.keys(MESSAGES) as MessageType[]).flatMap((type) =>
      unseenOf(type, MESSAGES[type].payload, payloadsOf(type)),
    );
    expect(unseen).toEqual(WITHOUT_MEANING);
  });

  it('show an answer to every question and order, which fits, and every field of it', () => {
    const asked = new Map([...byNumber('query'), ...byNumber('order')]);
    const answers = new Map<string, unknown[]>();
    for (const { re, payload } of frames.flatMap(({ messages }) => messages).filter(({ type }) => type === 'answer')) {
      const question = asked.get(Number(re));
      if (question === undefined) continue;
      const { what, isOrder } = question;
      const kind = isOrder ? 'order' : what;
      expect(
        () => ANSWERS[kind as keyof typeof ANSWERS].parse(withBytes(payload)),
        `the answer to ${re}`,
      ).not.toThrow();
      answers.set(kind, [...(answers.get(kind) ?? []), payload]);
    }
    const unseen = Object.entries(ANSWERS).flatMap(([kind, schema]) => unseenOf(kind, schema, answers.get(kind) ?? []));
    expect(unseen).toEqual([]);
  });

  it('show a frame of several messages', () => {
    expect(frames.some(({ messages }) => messages.length > 1)).toBe(true);
  });
});

function payloadsOf(type: string): unknown[] {
  return frames
    .flatMap(({ messages }) => messages.filter((message) => message['type'] === type))
    .map(({ payload }) => payload);
}

/** What was asked or ordered, by the number of the message. */
function byNumber(type: 'query' | 'order'): [id: number, asked: { what: string; isOrder: boolean }][] {
  const messages = frames.flatMap((frame) => frame.messages).filter((message) => message['type'] === type);
  return messages.map(({ id, payload }) => {
    const { what } = payload as { what: string };
    return [Number(id), { what, isOrder: type === 'order' }];
  });
}

type Schema = z.ZodType & {
  readonly def: {
    readonly innerType?: Schema;
    readonly element?: Schema;
    readonly options?: readonly Schema[];
    readonly entries?: Readonly<Record<string, string>>;
    readonly values?: readonly string[];
  };
  readonly shape?: Readonly<Record<string, Schema>>;
};

/** What a schema knows and none of the values has: `order.type.pause`, `task_submit.limit.perMinute`, `heartbeat.status busy`. */
function unseenOf(path: string, schema: z.ZodType, values: readonly unknown[]): string[] {
  const { def, shape } = schema as Schema;
  if (values.length === 0) return [path];
  if (def.innerType !== undefined) return unseenOf(path, def.innerType, values);
  if (def.element !== undefined) return unseenOf(path, def.element, values.flat());
  if (def.entries !== undefined) {
    const unseen = Object.keys(def.entries).filter((value) => !values.includes(value));
    return unseen.map((value) => `${path} ${value}`);
  }
  if (def.options !== undefined) {
    return (def.options as readonly Schema[]).flatMap((option) => {
      const what = option.shape?.['what']?.def.values?.[0] ?? '';
      const fitting = values.filter((value) => (value as { what?: string }).what === what);
      return unseenOf(`${path}.${what}`, option, fitting);
    });
  }
  return Object.entries(shape ?? {}).flatMap(([field, inner]) => {
    const seen = values.flatMap((value) => {
      const has = Object.hasOwn(value as object, field);
      return has ? [(value as Record<string, unknown>)[field]] : [];
    });
    return unseenOf(`${path}.${field}`, inner, seen);
  });
}

function framesOf(version: string): (GoldenFrame & { readonly version: string })[] {
  const files = readdirSync(root + version);
  return files.map((file) => ({
    ...(JSON.parse(readFileSync(`${root}${version}/${file}`, 'utf8')) as GoldenFrame),
    version,
  }));
}

/** JSON as the formatter of this repository leaves it: lists of plain values on one line, all else spread out. */
function asFile(value: unknown, indent = ''): string {
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    if (!value.some((item) => typeof item === 'object')) {
      return `[${value.map((item) => JSON.stringify(item)).join(', ')}]`;
    }
    return `[\n${value.map((item) => inner + asFile(item, inner)).join(',\n')}\n${indent}]`;
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, item]) => `${inner}${JSON.stringify(key)}: ${asFile(item, inner)}`);
  const text = `{\n${members.join(',\n')}\n${indent}}`;
  return indent === '' ? `${text}\n` : text;
}

/** `{ "$bin": "2a" }` anywhere inside becomes bytes. */
function withBytes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withBytes);
  if (typeof value !== 'object' || value === null) return value;
  if ('$bin' in value) return new Uint8Array(Buffer.from(String(value.$bin), 'hex'));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withBytes(item)]));
}
