/** The end of an exhaustive switch: a new member of the union is a compile error at each place that must handle it. */
export function unexpected(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
