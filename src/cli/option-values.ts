/** What the texts of options parse to. Each says in its error what it must be. */
import { InvalidArgumentError } from 'commander';
import { LIMITS } from '../client.ts';
import type { Limits } from '../index.ts';

/** `250ms`, `30s`, `5m`, `2h`, or a plain number of milliseconds. */
export function parseDuration(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  if (parts === null) throw new InvalidArgumentError('must be a duration like 500ms, 30s, 5m or 2h.');
  const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[(parts[2] ?? 'ms') as 'ms' | 's' | 'm' | 'h'];
  return Math.round(Number(parts[1]) * unitMs);
}

export function parseWhole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`must be a whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

/** A file or directory. An empty one would be the current directory to some and nothing at all to others. */
export function parsePlace(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('must not be empty.');
  return text;
}

/** The cursor of a list of tasks: what the last page gave. */
export function parseCursor(text: string): string {
  if (!/^\d{1,16}$/.test(text)) throw new InvalidArgumentError('must be the cursor that the last page gave.');
  return text;
}

export function parseList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** `key=value`, gathered over several uses of the option. */
export function collectPair(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('must be key=value.');
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
}

/** `name=amount`, gathered over several uses of the option. */
export function collectAmount(text: string, before: Readonly<Record<string, number>> = {}): Record<string, number> {
  const [name, value] = amountIn(text);
  if (name === '' || !(value >= 0)) throw new InvalidArgumentError('must be name=amount.');
  return { ...before, [name]: value };
}

/** `name=value` of docs/limits.md, gathered over several uses of the option. */
export function collectLimit(text: string, before: Partial<Limits> = {}): Partial<Limits> {
  const [name, value] = amountIn(text);
  if (!Object.hasOwn(LIMITS, name)) throw new InvalidArgumentError(`${name} is no limit; docs/limits.md has all.`);
  if (!(value >= 0)) throw new InvalidArgumentError('must be name=number, as in heartbeatMs=2000.');
  return { ...before, [name]: value };
}

/** Name and amount; NaN where what is behind the first `=` is no number. */
function amountIn(text: string): [name: string, amount: number] {
  const [, name = '', amount = ''] = /^([^=]*)=?(.*)$/s.exec(text) ?? [];
  return [name, amount.trim() === '' ? Number.NaN : Number(amount)];
}
