/** Programs of pages and examples: whole modules that import Pincer by its name, run as processes of their own. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Runs a module of the repository with its imports of `pincer` resolved to the built package; resolves with what it printed. */
export function runProgram(file: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', file], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
}

/** Runs source text as a module beside the examples, so that it resolves what they resolve. */
export function runSource(source: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return runFiles({ 'program.ts': source }, 'program.ts');
}

/** Runs one of several modules beside the examples. */
export async function runFiles(
  files: Readonly<Record<string, string>>,
  main: string,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const directory = mkdtempSync(path.join(ROOT, 'examples', '.run-'));
  try {
    for (const [name, source] of Object.entries(files)) writeFileSync(path.join(directory, name), source);
    return await runProgram(path.join(directory, main));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The fenced code blocks of a page in one language. */
export function blocksOf(page: string, language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    (match) => match[1] ?? '',
  );
}
