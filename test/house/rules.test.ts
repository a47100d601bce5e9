/**
 * Rules about the text of src and test that no linter knows: where time and randomness may come from, what a chart may
 * not contain, how long a file may grow. Who may import whom is in .dependency-cruiser.cjs.
 */
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { nodesOf, parse, placeOf, read, rootNameOf, sources } from './tree.ts';

const LINES_MAX = 350;

/** Ambient time, randomness and ends of the process. Everything else takes a Clock, a Random or Ids as an argument. */
const AMBIENT_MEMBERS = [
  'Date.now',
  'Math.random',
  'performance.now',
  'process.exit',
  'process.hrtime',
  'process.nextTick',
  'crypto.randomUUID',
  'crypto.getRandomValues',
  'AbortSignal.timeout',
];
const AMBIENT_NAMES = [
  'setTimeout',
  'setInterval',
  'setImmediate',
  'randomUUID',
  'randomBytes',
  'randomFillSync',
  'randomInt',
];

/** Where they may be used, which, and why. A folder covers what is below it. */
const ALLOWED: Readonly<Record<string, { readonly names: readonly string[]; readonly why: string }>> = {
  'src/actors/world/system-clock.ts': {
    names: ['Date.now', 'performance.now', 'process.hrtime', 'setTimeout', 'setImmediate'],
    why: 'It is the real Clock.',
  },
  'src/actors/world/ordered-ids.ts': {
    names: ['randomFillSync'],
    why: 'It is what the real Ids are in the order of time.',
  },
  'src/actors/world/real-ports.ts': { names: ['Math.random', 'randomUUID'], why: 'It is the real Random and Ids.' },
  'src/actors/world/simulated-clock.ts': {
    names: ['setImmediate'],
    why: 'It lets real promises settle between two instants.',
  },
  'src/handlers/process-table.ts': {
    names: ['setImmediate'],
    why: 'It waits one turn for the operating system’s answer.',
  },
};
const FREE = ['src/cli/'];

describe('time and randomness', () => {
  const uses = sources('src')
    .filter((file) => !FREE.some((folder) => file.startsWith(folder)))
    .flatMap((file) => nodesOf(parse(file)).flatMap((node) => ambientUse(node).map((name) => ({ file, name, node }))));

  it('enter through ports, but for the files that implement them', () => {
    const strays = uses.filter(({ file, name }) => ALLOWED[file]?.names.includes(name) !== true);
    expect(strays.map(({ name, node }) => `${placeOf(node)} uses ${name}`)).toEqual([]);
  });

  it('are granted to no file that does not use them', () => {
    const unused = Object.entries(ALLOWED).flatMap(([file, { names }]) =>
      names
        .filter((name) => !uses.some((use) => use.file === file && use.name === name))
        .map((name) => `${file}: ${name}`),
    );
    expect(unused).toEqual([]);
  });
});

describe('a chart', () => {
  const nodes = sources('src/machines').flatMap((file) => nodesOf(parse(file)));

  it('has no timers and no children: time and answers arrive as events', () => {
    const properties = nodes.filter((node) => ['after', 'invoke', 'delay', 'delays'].includes(propertyName(node)));
    const calls = nodes.filter(
      (node) =>
        ts.isCallExpression(node) &&
        ['spawnChild', 'spawn', 'fromPromise', 'fromCallback'].includes(node.expression.getText()),
    );
    expect([...properties, ...calls].map((node) => `${placeOf(node)}: ${node.getText().slice(0, 60)}`)).toEqual([]);
  });

  it('limits how often it may move without an event', () => {
    const machines = nodes.filter(
      (node): node is ts.CallExpression =>
        ts.isCallExpression(node) &&
        ts.isPropertyAccessExpression(node.expression) &&
        node.expression.name.text === 'createMachine',
    );
    const unlimited = machines.filter(
      (machine) => !nodesOf(machine).some((node) => propertyName(node) === 'maxIterations'),
    );
    expect(machines.length).toBeGreaterThan(0);
    expect(unlimited.map(placeOf)).toEqual([]);
  });
});

describe('the type of an event', () => {
  it('is written out, never composed: a machine keeps every type it has ever seen', () => {
    const composed = sources('src')
      // The types with which xstate tells of an end, given to hosts, which keep none.
      .filter((file) => file !== 'src/actors/charts/life.ts')
      .flatMap((file) => nodesOf(parse(file)))
      .filter(
        (node) =>
          ts.isPropertyAssignment(node) &&
          propertyName(node) === 'type' &&
          (ts.isTemplateExpression(node.initializer) || ts.isBinaryExpression(node.initializer)),
      );
    expect(composed.map(placeOf)).toEqual([]);
  });
});

describe('a test', () => {
  it('is neither singled out nor put off', () => {
    const marks = sources('test').flatMap((file) =>
      nodesOf(parse(file)).filter(
        (node) =>
          ts.isPropertyAccessExpression(node) &&
          ['only', 'skip', 'todo', 'fails'].includes(node.name.text) &&
          ['it', 'test', 'describe', 'suite', 'bench'].includes(rootNameOf(node.expression)),
      ),
    );
    expect(marks.map((node) => `${placeOf(node)}: ${node.getText()}`)).toEqual([]);
  });
});

describe('a file of src', () => {
  it(`has at most ${LINES_MAX} lines: beyond that it has found its second reason to change`, () => {
    // A table has one reason to change, however many rows it has.
    const isTable = (file: string): boolean => file === 'src/protocol/limits.ts' || file === 'src/protocol/failure.ts';
    const lengths = sources('src')
      .filter((file) => !isTable(file))
      .map((file) => ({ file, lines: read(file).trimEnd().split('\n').length }));
    expect(lengths.filter(({ lines }) => lines > LINES_MAX)).toEqual([]);
  });

  it('does not ask where it is while it is loaded, as a bundle may not know, but in the command', () => {
    const asking = sources('src')
      .filter((file) => !file.startsWith('src/cli/'))
      .filter((file) => /^(export )?const .*import\.meta/m.test(read(file)));
    expect(asking).toEqual([]);
  });

  it('says at its top what lives in it', () => {
    const silent = sources('src').filter((file) => {
      const first = parse(file).statements.find((statement) => !ts.isImportDeclaration(statement));
      const isIntroduced = /^(#!.*\n)?\/\*\*/.test(read(file));
      return !isIntroduced && (first === undefined || ts.getJSDocCommentsAndTags(first).length === 0);
    });
    expect(silent).toEqual([]);
  });
});

/** The ambient thing that a node uses, if it does. */
function ambientUse(node: ts.Node): string[] {
  if (ts.isPropertyAccessExpression(node)) {
    const member = node.getText().replace(/^globalThis\./, '');
    return [...AMBIENT_MEMBERS, ...AMBIENT_NAMES].filter((name) => name === member);
  }
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && (node.arguments?.length ?? 0) === 0) {
    return ['new Date()'];
  }
  if (ts.isImportDeclaration(node) && /^['"](node:)?timers/.test(node.moduleSpecifier.getText()))
    return ['node:timers'];
  const isReference = ts.isIdentifier(node) && AMBIENT_NAMES.includes(node.text) && !isName(node);
  return isReference ? [node.text] : [];
}

/** Whether an identifier only names a member, a property or an import, and refers to nothing by itself. */
function isName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  return ts.isPropertyAssignment(parent)
    ? parent.name === node
    : ts.isImportSpecifier(parent) || ts.isTypeQueryNode(parent);
}

function propertyName(node: ts.Node): string {
  if (ts.isShorthandPropertyAssignment(node)) return node.name.text;
  if (!ts.isPropertyAssignment(node)) return '';
  return ts.isIdentifier(node.name) || ts.isStringLiteral(node.name) ? node.name.text : '';
}
