/**
 * Draws every chart from the machine that runs: diagrams/<chart>.mmd (Mermaid, shown by GitHub) and diagrams/<chart>.svg
 * (for pages and print), with diagrams/README.md as their table. `npm run diagrams`; with `--check` it only compares.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type IState, type ITransition, render } from 'state-machine-cat';
import { type ChartName, charts } from '../src/machines/index.ts';
import { type Outline, type OutlineState, type OutlineTransition, outlineOf } from '../src/testing/outline.ts';

const FOLDER = 'diagrams';
const MEND = 'run `npm run diagrams`';
const ANY = 'any state';
const NOTE_WIDTH = 32;

/** Where each chart runs, for the table. */
const RUNS: Readonly<Record<ChartName, string>> = {
  task: 'gateway, one per live task',
  attempt: 'node, one per attempt',
  scheduler: 'gateway',
  node: 'gateway, one per node',
  'node-life': 'node',
  session: 'gateway, one per peer',
  link: 'node and client',
  gateway: 'gateway',
  discovery: 'each source of gateway and node',
  channel: 'channel, one per instance',
};

/** Every file of diagrams/ as it should be. The same charts give the same bytes. */
export async function drawings(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const name of Object.keys(charts) as ChartName[]) {
    const outline = outlineOf(charts[name]);
    files.set(`${name}.mmd`, mermaidOf(name, outline));
    files.set(`${name}.svg`, await svgOf(name, outline));
  }
  return files.set('README.md', table());
}

function mermaidOf(name: ChartName, { states, transitions }: Outline): string {
  const hasRoot = transitions.some(({ source }) => source === '');
  const lines = [
    `%% The ${name} chart, drawn from src/machines/${name}.ts by \`npm run diagrams\`.`,
    'stateDiagram-v2',
    ...states.flatMap((state) =>
      [state.key, ...doings(state, transitions)].map((line) => `  ${idOf(state.key)} : ${line}`),
    ),
    ...(hasRoot ? [`  ${idOf(ANY)} : ${ANY}`] : []),
    '',
    ...states.filter(({ isInitial }) => isInitial).map(({ key }) => `  [*] --> ${idOf(key)}`),
    ...arrows(transitions, states).map(({ from, to, label }) => `  ${idOf(from)} --> ${idOf(to)} : ${label}`),
    ...states.filter(({ type }) => type === 'final').map(({ key }) => `  ${idOf(key)} --> [*]`),
    '',
    ...states
      .filter(({ description }) => description !== '')
      .map(({ key, description }) => `  note right of ${idOf(key)} : ${description.replaceAll(';', ',')}`),
    ...(hasRoot ? [`  classDef any stroke-dasharray: 4`, `  class ${idOf(ANY)} any`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

async function svgOf(name: ChartName, { states, transitions }: Outline): Promise<string> {
  const drawn = arrows(transitions, states);
  const nodes: IState[] = [
    { name: 'initial', type: 'initial' },
    ...states.map((state): IState => {
      const actions = doings(state, transitions).map((body) => ({ type: 'activity' as const, body }));
      return {
        name: state.key,
        type: 'regular',
        class: state.type === 'final' ? 'final' : state.isTransient ? 'transient' : 'resting',
        ...(state.type === 'final' ? { color: '#1f5f3f' } : state.isTransient ? { color: '#777777' } : {}),
        ...(actions.length > 0 ? { actions } : {}),
        ...(state.description === '' ? {} : { note: wrap(state.description) }),
      };
    }),
    ...(drawn.some(({ from }) => from === ANY)
      ? [{ name: ANY, type: 'regular' as const, class: 'any', color: '#777777' }]
      : []),
  ];
  const starts = states.filter(({ isInitial }) => isInitial).map(({ key }) => ({ from: 'initial', to: key }));
  const edges = [
    ...starts,
    ...drawn.map(({ from, to, label }) => ({ from, to, label: label.replace(' / ', ' /\n').replaceAll(', ', ',\n') })),
  ].map((edge, id): ITransition => ({ id, ...edge }));
  const svg = await render(
    { states: nodes, transitions: edges },
    { inputType: 'json', outputType: 'svg', direction: 'top-down' },
  );
  return `${svg.replaceAll('state transitions', `the ${name} chart`).trimEnd()}\n`;
}

interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly label: string;
}

/** What leads somewhere, as arrows; what holds in every state is drawn once, and says where it does not hold. */
function arrows(transitions: readonly OutlineTransition[], states: readonly OutlineState[]): Arrow[] {
  return transitions.flatMap((transition) => {
    const { source, event, targets } = transition;
    const ignoring = states.filter(({ forbids }) => source === '' && event !== null && forbids.includes(event));
    const except = ignoring.length > 0 ? ` (not in ${ignoring.map(({ key }) => key).join(' or ')})` : '';
    return targets.map((to) => ({ from: source === '' ? ANY : source, to, label: labelOf(transition, except) }));
  });
}

/** `event [guard] / actions`. */
function labelOf({ event, guard, actions }: OutlineTransition, except = ''): string {
  const trigger = `${event ?? ''}${except}${guard === '' ? '' : ` [${guard}]`}`.trim();
  return [trigger === '' ? 'at once' : trigger, actions.join(', ')].filter((part) => part !== '').join(' / ');
}

/** What happens in a state without leaving it, one line each: `entry / dial`, `slots.freed / markFree`. */
function doings({ key, entry, exit }: OutlineState, transitions: readonly OutlineTransition[]): string[] {
  return [
    ...entry.map((action) => `entry / ${action}`),
    ...transitions.filter(({ source, targets }) => source === key && targets.length === 0).map((stay) => labelOf(stay)),
    ...exit.map((action) => `exit / ${action}`),
  ];
}

/** Mermaid allows letters, digits and underscores in an id; what is shown is another matter. */
function idOf(key: string): string {
  return key.replaceAll(/\W/g, '_');
}

function wrap(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + word.length >= NOTE_WIDTH) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}

function table(): string {
  const rows = (Object.keys(charts) as ChartName[]).map((name) => {
    const { states, transitions } = outlineOf(charts[name]);
    const links = `[mmd](${name}.mmd) · [svg](${name}.svg) · \`src/machines/${name}.ts\``;
    return `| ${name} | ${RUNS[name]} | ${states.length} | ${transitions.length} | ${links} |`;
  });
  return `# The charts

Every lifecycle of Pincer is one of these charts. They are drawn from the machines that run, by \`npm run diagrams\`;
\`npm run check\` fails when a drawing and its machine differ.

| Chart | Runs on | States | Transitions | |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

How to read them: \`event [guard] / actions\` on an arrow; \`else\` is the branch that is left when no guard before it
holds, and \`at once\` needs no event. What happens in a state without leaving it stands inside it. States drawn in grey
are left at once; those drawn in green are final. An arrow from *any state* holds in all of them, unless a state has an
arrow of its own for that event. Actions either remember a fact or emit a command, which the actor that runs the chart
carries out: what comes of it returns as an event.
`;
}

async function main(isCheck: boolean): Promise<void> {
  const wanted = await drawings();
  mkdirSync(FOLDER, { recursive: true });
  const stale = [...wanted].filter(([file, text]) => contentOf(file) !== text);
  const strays = readdirSync(FOLDER).filter((file) => !wanted.has(file));
  if (isCheck) {
    for (const [file] of stale) console.error(`${FOLDER}/${file} is not what its chart looks like: ${MEND}`);
    for (const file of strays) console.error(`${FOLDER}/${file} belongs to no chart: ${MEND}`);
    if (stale.length + strays.length > 0) process.exitCode = 1;
    return;
  }
  for (const [file, text] of stale) writeFileSync(`${FOLDER}/${file}`, text);
  for (const file of strays) rmSync(`${FOLDER}/${file}`);
  console.log(`${wanted.size} files, ${stale.length} written, ${strays.length} removed`);
}

function contentOf(file: string): string | null {
  return existsSync(`${FOLDER}/${file}`) ? readFileSync(`${FOLDER}/${file}`, 'utf8') : null;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.includes('--check'));
