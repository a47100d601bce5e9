/**
 * Writes the tables of docs/failures.md and docs/limits.md from FAILURES and LIMITS, between their markers:
 * `npm run tables`; with `--check` it only compares. The words around the tables are written by hand.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FAILURES } from '../src/protocol/failure.ts';
import { LIMITS } from '../src/protocol/limits.ts';

const START = '<!-- table: written by `npm run tables` -->';
const END = '<!-- end of table -->';

interface Page {
  readonly file: string;
  readonly source: string;
  readonly head: readonly string[];
  /** The cells of every row, by the name of its entry. */
  readonly rows: ReadonlyMap<string, readonly string[]>;
}

const SCALES: Readonly<Record<string, readonly (readonly [size: number, name: string])[]>> = {
  ms: [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1_000, 's'],
  ],
  bytes: [
    [1_073_741_824, 'GiB'],
    [1_048_576, 'MiB'],
    [1_024, 'KiB'],
  ],
};

const PAGES: readonly Page[] = [
  {
    file: 'docs/failures.md',
    source: 'src/protocol/failure.ts',
    head: ['Code', 'Retryable', 'Closes the link with', 'Means', 'What to do'],
    rows: rowsOf(FAILURES, (failure) => [
      failure.retryable ? 'yes' : 'no',
      'close' in failure && failure.close !== undefined ? String(failure.close) : '–',
      sentence(failure.means),
      failure.hint,
    ]),
  },
  {
    file: 'docs/limits.md',
    source: 'src/protocol/limits.ts',
    head: ['Limit', 'Default', 'Why', 'When it is reached'],
    rows: rowsOf(LIMITS, (limit) => [inUnits(limit.value, limit.unit), limit.why, limit.reached]),
  },
];

/** A page as it should be: its own words, and the tables as the source has them. */
function withTables(page: string, { file, source, head, rows }: Page): string {
  const start = page.indexOf(START);
  const end = page.indexOf(END);
  if (start < 0 || end < start) throw new Error(`${file} has no table markers: ${START} … ${END}`);
  const tables = groupsOf(source, rows).map(([title, names]) => {
    const body = names.map((name) => line([`\`${name}\``, ...(rows.get(name) ?? [])]));
    return [`## ${title}`, '', line(head), line(head.map(() => '---')), ...body].join('\n');
  });
  return `${page.slice(0, start)}${START}\n\n${tables.join('\n\n')}\n\n${page.slice(end)}`;
}

/** The names under each group comment of the source (`// Tasks`), in its order: the tables follow the same order. */
function groupsOf(source: string, rows: ReadonlyMap<string, unknown>): [title: string, names: string[]][] {
  const groups: [string, string[]][] = [];
  // A comment that begins a paragraph; any other speaks of the entry below it.
  for (const [, title, text = ''] of readFileSync(source, 'utf8').matchAll(/(?:(?<=\{\n|\n\n) {2}\/\/ (.+)|(.*))\n/g)) {
    if (title !== undefined) groups.push([title, []]);
    const name = /^ {2}(\w+): /.exec(text)?.[1];
    if (name !== undefined && rows.has(name)) groups.at(-1)?.[1].push(name);
  }
  const grouped = groups.flatMap(([, names]) => names);
  const missing = [...rows.keys()].filter((name) => !grouped.includes(name));
  if (missing.length > 0) throw new Error(`${source}: under no group comment: ${missing.join(', ')}`);
  return groups.filter(([, names]) => names.length > 0);
}

function rowsOf<Entry>(table: Readonly<Record<string, Entry>>, cells: (entry: Entry) => string[]): Page['rows'] {
  return new Map(Object.entries(table).map(([name, entry]) => [name, cells(entry)]));
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** `30 000 ms (30 s)`: the number as it is, and as people say it where that is shorter. */
function inUnits(value: number, unit: string): string {
  const exact = value.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ' ');
  const scale = SCALES[unit]?.find(([size]) => value >= size && value % size === 0);
  const spoken = scale === undefined ? '' : ` (${value / scale[0]} ${scale[1]})`;
  return unit === 'count' ? exact : `${exact} ${unit}${spoken}`;
}

function main(isCheck: boolean): void {
  for (const page of PAGES) {
    const before = readFileSync(page.file, 'utf8');
    const after = withTables(before, page);
    if (before === after) continue;
    if (isCheck) {
      console.error(`${page.file} does not say what ${page.source} says: run \`npm run tables\``);
      process.exitCode = 1;
    } else {
      writeFileSync(page.file, after);
      console.log(`wrote ${page.file}`);
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.includes('--check'));
