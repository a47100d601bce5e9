/**
 * How to read what somebody of a newer version may have added fields to. What is sent is typed strictly, and so are the
 * schemas; a reader that can do without a field it does not know must not fail because of it.
 */
import type { z } from 'zod';

/**
 * Parses a value with a schema; fields that the schema does not know are left out, at any depth.
 * @throws ZodError if it does not fit otherwise.
 */
export function parseLeniently<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const copy = copyOf(value);
  for (const issue of parsed.error.issues) {
    if (issue.code !== 'unrecognized_keys') throw parsed.error;
    const owner = issue.path.reduce<unknown>((at, step) => (at as Record<PropertyKey, unknown>)[step], copy);
    for (const key of issue.keys) delete (owner as Record<string, unknown>)[key];
  }
  return schema.parse(copy);
}

/** Lists and maps are copied; bytes and all else are not, since nothing is taken out of them. */
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copyOf(item)]));
}
