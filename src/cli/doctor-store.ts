/** What `pincer doctor --store` finds: a store on disk looked at from outside, whether gateways have it open or not. */
import { statfs } from 'node:fs/promises';
import type { CheckName, Finding } from '../index.ts';
import { checkStore } from '../store.ts';
import type { Diagnosis } from './diagnosis.ts';

/** Below the first a store is about to refuse work; below the second it is worth a look. */
const FREE_BYTES_LEAST = 104_857_600;
const FREE_BYTES_FEW = 1_073_741_824;

const OVER_A_STORE: readonly CheckName[] = ['tasks.history', 'store', 'disk'];

/** Looks at every task, index and counter of the store in a directory, and at the disk below it. */
export async function examineStore(dir: string): Promise<Diagnosis> {
  const { tasks, faults, total } = await checkStore(dir);
  const findings = faults.map(({ kind, taskId, says }): Finding => {
    const mend =
      'Stop the gateways, keep a copy of the directory, and report this. `pincer store export` saves the tasks.';
    const check: CheckName = kind === 'history' ? 'tasks.history' : 'store';
    return { check, severity: 'bad', says, mend, ...(taskId === undefined ? {} : { about: taskId }) };
  });
  const { bavail, bsize } = await statfs(dir);
  findings.push(...findingsOfDisk(bavail * bsize));
  return { checks: OVER_A_STORE, findings, left: total - faults.length, looked: tasks, total: tasks };
}

/** What is to be said of a disk with so many bytes left. */
export function findingsOfDisk(freeBytes: number): Finding[] {
  if (freeBytes >= FREE_BYTES_FEW) return [];
  const says = `${Math.floor(freeBytes / 1_048_576)} MiB are left on the disk of the store`;
  const mend =
    'Make room. A full disk refuses submits and loses nothing; `pincer store compact` gives back what the store does not use.';
  return [{ check: 'disk', severity: freeBytes < FREE_BYTES_LEAST ? 'bad' : 'warn', says, mend }];
}
