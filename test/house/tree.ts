/** The tree as the house tests read it: which files there are, and their syntax. What it means is for each test to say. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Every file that is, or is about to be, under version control; paths from the root of the tree. */
export function trackedFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 16_777_216,
  });
  return [...new Set(listed.split('\0'))].filter((file) => file !== '' && exists(file)).sort();
}

/** The TypeScript files below a folder. */
export function sources(folder: string): string[] {
  return trackedFiles().filter((file) => file.startsWith(`${folder}/`) && file.endsWith('.ts'));
}

export function exists(file: string): boolean {
  return existsSync(join(ROOT, file));
}

export function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

export function readJson(file: string): Record<string, unknown> {
  return JSON.parse(read(file)) as Record<string, unknown>;
}

const parsed = new Map<string, ts.SourceFile>();

/** The syntax of a file, read once: each rule looks at all of them. */
export function parse(file: string): ts.SourceFile {
  const known = parsed.get(file) ?? ts.createSourceFile(file, read(file), ts.ScriptTarget.ES2023, true);
  parsed.set(file, known);
  return known;
}

/** The node and all below it, in the order of the text. */
export function nodesOf(node: ts.Node): ts.Node[] {
  const nodes: ts.Node[] = [];
  const visit = (each: ts.Node): void => {
    nodes.push(each);
    ts.forEachChild(each, visit);
  };
  visit(node);
  return nodes;
}

/** `src/cli/main.ts:12`, as editors open it. */
export function placeOf(node: ts.Node): string {
  const source = node.getSourceFile();
  return `${source.fileName}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
}

/** The titles of the tests of a file, each with its call: `it('…')`, `it.each(…)('…')`, `it.skip('…')`. */
export function testsOf(file: string): { readonly title: string; readonly call: ts.CallExpression }[] {
  return nodesOf(parse(file)).flatMap((node) => {
    if (!ts.isCallExpression(node) || !['it', 'test'].includes(rootNameOf(node.expression))) return [];
    const [title] = node.arguments;
    return title !== undefined && ts.isStringLiteralLike(title) ? [{ title: title.text, call: node }] : [];
  });
}

/** The name that a chain of members and calls begins with: `it` of `it.each(rows)`. */
export function rootNameOf(expression: ts.Expression): string {
  if (ts.isIdentifier(expression)) return expression.text;
  if (ts.isPropertyAccessExpression(expression) || ts.isCallExpression(expression))
    return rootNameOf(expression.expression);
  if (ts.isTaggedTemplateExpression(expression)) return rootNameOf(expression.tag);
  return '';
}
