/**
 * The doors: files directly in src, one for each entry point of the package. They re-export by name and do nothing else;
 * the names behind each are kept in test/fixtures/doors (`npx vitest run test/house/doors.test.ts -u` rewrites them,
 * and the difference is part of the review).
 */
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { exists, parse, placeOf, read, readJson, trackedFiles } from './tree.ts';

const DOORS = [
  'channels',
  'client',
  'compile',
  'discovery',
  'handlers',
  'index',
  'inspect',
  'node',
  'registry',
  'store',
  'testing',
];

interface ExportedName {
  readonly name: string;
  readonly isType: boolean;
  readonly from: string;
  /** What it is called where it is declared. */
  readonly source: string;
}

describe('the doors', () => {
  it('are the entry points of the package, and every entry point has one', () => {
    const files = trackedFiles().filter((file) => /^src\/[^/]+\.ts$/.test(file));
    expect(files).toEqual(DOORS.map((door) => `src/${door}.ts`));

    const { exports, bin } = readJson('package.json') as { exports: Record<string, unknown>; bin: unknown };
    const expected = DOORS.map((door) => [
      door === 'index' ? '.' : `./${door}`,
      { types: `./dist/${door}.d.ts`, default: `./dist/${door}.js` },
    ]);
    expect(exports).toEqual({ ...Object.fromEntries(expected), './package.json': './package.json' });
    expect(bin).toEqual({ pincer: './dist/cli/main.js' });
  });

  it('lead to a command that starts as a script', () => {
    expect(read('src/cli/main.ts')).toMatch(/^#!\/usr\/bin\/env node\n/);
  });
});

describe.each(DOORS)('the door %s', (door) => {
  const file = `src/${door}.ts`;

  it('re-exports by name and does nothing else', () => {
    const others = parse(file).statements.filter(
      (statement) =>
        !(
          ts.isExportDeclaration(statement) &&
          statement.moduleSpecifier !== undefined &&
          statement.exportClause !== undefined &&
          ts.isNamedExports(statement.exportClause)
        ),
    );
    expect(others.map((statement) => `${placeOf(statement)}: ${statement.getText().slice(0, 60)}`)).toEqual([]);
  });

  it('has the names that it is known for', async () => {
    const lines = exportsOf(file).map(({ name, isType }) => `${isType ? 'type ' : ''}${name}`);
    expect(new Set(lines).size).toBe(lines.length);
    await expect(`${lines.sort().join('\n')}\n`).toMatchFileSnapshot(`../fixtures/doors/${door}.txt`);
  });

  it('has a docstring for everything it exports', () => {
    const bare = exportsOf(file).filter(({ from, source }) => !isDocumented(from, source));
    expect(bare.map(({ name, from }) => `${name} of ${from}`)).toEqual([]);
  });
});

function exportsOf(file: string): ExportedName[] {
  return parse(file)
    .statements.filter(ts.isExportDeclaration)
    .flatMap((statement) => {
      const { exportClause, moduleSpecifier, isTypeOnly } = statement;
      if (exportClause === undefined || !ts.isNamedExports(exportClause) || moduleSpecifier === undefined) return [];
      const from = join(dirname(file), (moduleSpecifier as ts.StringLiteral).text);
      return exportClause.elements.map((element) => ({
        name: element.name.text,
        isType: isTypeOnly || element.isTypeOnly,
        from,
        source: (element.propertyName ?? element.name).text,
      }));
    });
}

/** Whether the declaration of a name has a docstring, wherever re-exports lead. */
function isDocumented(file: string, name: string): boolean {
  if (!exists(file)) return false;
  const onward = exportsOf(file).find((exported) => exported.name === name);
  if (onward !== undefined) return isDocumented(onward.from, onward.source);
  const declarations = parse(file).statements.filter((statement) => declares(statement, name));
  return declarations.some((statement) => ts.getJSDocCommentsAndTags(statement).length > 0);
}

function declares(statement: ts.Statement, name: string): boolean {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.some((declaration) => declaration.name.getText() === name);
  }
  const isNamed =
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement);
  return isNamed && statement.name?.text === name;
}
