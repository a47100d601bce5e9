/**
 * Enters into test/house/defects.ts which test proves which defect, as the titles say (`it('#33 …')`): `npm run defects`.
 * An entry whose test is still there is left alone; one whose test is gone says so, and the house test then fails.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { DEFECTS } from '../test/house/defects.ts';
import { numbersOf } from '../test/house/numbers.ts';
import { sources, testsOf } from '../test/house/tree.ts';

const TABLE = 'test/house/defects.ts';

const proofs = new Map<number, string[]>();
for (const file of sources('test')) {
  for (const { title } of testsOf(file)) {
    for (const number of numbersOf(title)) {
      proofs.set(number, [...(proofs.get(number) ?? []), `${file} › ${title}`]);
    }
  }
}

let text = readFileSync(TABLE, 'utf8');
for (const [key, { test }] of Object.entries(DEFECTS)) {
  const [first, ...others] = proofs.get(Number(key)) ?? [];
  const stands = [first, ...others].some((proof) => proof?.startsWith(test));
  if (first === undefined || stands) continue;
  const entry = new RegExp(`(^ {2}${key}: \\{[^}]*?test:\\s*)(?:'(?:[^'\\\\]|\\\\.)*'|"(?:[^"\\\\]|\\\\.)*")`, 'm');
  text = text.replace(entry, (_, head: string) => `${head}${quoted(first)}`);
}
writeFileSync(TABLE, text);

const open = Object.entries(DEFECTS).filter(([key]) => !proofs.has(Number(key)));
console.log(`${Object.keys(DEFECTS).length - open.length} proved, ${open.length} later`);
for (const [key, { test, summary }] of open) console.log(`  ${key} ${test} – ${summary}`);

function quoted(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
