/** The defects that the title of a test claims to prove: `#33` at the start of a word. */
export function numbersOf(title: string): number[] {
  return [...title.matchAll(/(?<![\w#])#(\d{1,3})\b/g)].map(([, number]) => Number(number));
}
