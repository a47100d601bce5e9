/** Answers `doctor`: a page of tasks each time, and with the first page everything else. */
import type { Finding } from '../../protocol/checkup.ts';
import { plainText } from '../../protocol/identifier.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { Clock } from '../../protocol/ports.ts';
import type { Answer, Query } from '../../protocol/query.ts';
import { VERSION } from '../../protocol/version.ts';
import type { Store } from '../store/store.ts';
import { auditNodes, auditStarved, type Known } from './audit-nodes.ts';
import { auditStore } from './audit-store.ts';
import { auditTasks } from './audit-tasks.ts';

/** What a checkup looks at. */
export interface Patient {
  readonly store: Store;
  readonly clock: Clock;
  readonly limits: Limits;
  /** Every node of the cluster, as placement and as people see it. */
  nodes(): Promise<readonly Known[]>;
}

/** One page of a checkup of the cluster that a gateway sees. */
export async function checkup(
  query: Extract<Query, { what: 'doctor' }>,
  { store, clock, limits, nodes }: Patient,
): Promise<Answer<'doctor'>> {
  const findings: Finding[] = [];
  const { doctorTasksMax, doctorFindingsMax } = limits;
  if (query.cursor === undefined) {
    const { ready } = await store.stats();
    const all = await nodes();
    findings.push(
      ...(await auditStore(store)),
      ...auditNodes(all.map(({ view }) => view)),
      ...auditStarved(all, ready),
    );
  }
  const limit = Math.min(query.limit ?? doctorTasksMax, doctorTasksMax);
  const tasks = await auditTasks(store, { clock, limits, limit, cursor: query.cursor });
  findings.push(...tasks.findings);
  return {
    at: clock.wallTime(),
    version: VERSION,
    findings: findings.slice(0, doctorFindingsMax).map(({ says, mend, ...finding }) => ({
      ...finding,
      says: plainText(says, 500),
      mend: plainText(mend, 500),
    })),
    left: Math.max(0, findings.length - doctorFindingsMax),
    looked: tasks.looked,
    total: tasks.total,
    ...(tasks.cursor === undefined ? {} : { cursor: tasks.cursor }),
  };
}
