/** What a doctor has asked and found, and how it is told. */
import process from 'node:process';
import { CHECKS, type CheckName, type Finding, plainText } from '../index.ts';
import { onStdout } from './colours.ts';
import { EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';

/** What was asked, and what came of it. */
export interface Diagnosis {
  readonly checks: readonly CheckName[];
  readonly findings: readonly Finding[];
  /** Findings that there was no room for. */
  readonly left: number;
  readonly looked: number;
  readonly total: number;
}

/** Prints it, and lets the command end with 10 if anything is wrong. */
export function tell({ checks, findings, left, looked, total }: Diagnosis, output: Output): void {
  const rows = checks.map((id) => {
    const found = findings.filter(({ check }) => check === id);
    const worst = found.some(({ severity }) => severity === 'bad') ? 'bad' : 'warn';
    return { id, asks: CHECKS[id], status: found.length === 0 ? 'ok' : worst, findings: found };
  });
  const isWell = findings.length === 0;
  output.result({ ok: isWell, looked, total, left, checks: rows }, () => {
    const { green, red, yellow, dim } = onStdout;
    const mark = { ok: green('✓'), warn: yellow('!'), bad: red('✗') };
    const lines = rows.flatMap(({ asks, status, findings: found }) => [
      `${mark[status as keyof typeof mark]} ${asks}`,
      ...found.flatMap(({ about, says, mend }) => [
        `    ${about === undefined ? '' : `${plainText(about)}: `}${plainText(says, 500)}`,
        `    ${dim('→')} ${plainText(mend, 500)}`,
      ]),
    ]);
    if (left > 0) lines.push(`… and ${left} more`);
    lines.push('', `${isWell ? green('All well.') : red('Not well.')} ${looked} of ${total} tasks looked at.`);
    return lines.join('\n');
  });
  if (!isWell) process.exitCode = EXIT.degraded;
}
