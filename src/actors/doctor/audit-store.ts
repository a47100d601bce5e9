/** Looks at a store as a whole: leases that nobody renews, and counts that do not agree. Reads only. */
import type { Finding } from '../../protocol/checkup.ts';
import type { Store } from '../store/store.ts';

/** What is wrong with the store as a whole. */
export async function auditStore(store: Store): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { gateway, leaseInMs, owned } of await store.gateways()) {
    if (leaseInMs >= 0) continue;
    findings.push({
      check: 'gateways.lease',
      severity: 'warn',
      about: gateway,
      says: `its lease lapsed ${-leaseInMs} ms ago, and it owns ${owned} ${owned === 1 ? 'task' : 'tasks'}`,
      mend: 'If it is gone, a gateway that has run for one lease takes over what it owned: start one, or wait.',
    });
  }
  const { byStatus, ready } = await store.stats();
  const inLine = [...ready.values()].reduce((sum, count) => sum + count, 0);
  if (inLine !== byStatus.pending) {
    findings.push({
      check: 'tasks.line',
      severity: 'bad',
      says: `${byStatus.pending} tasks wait for their turn, and ${inLine} stand in a line`,
      mend: 'Stop the gateways and run `pincer store check`; keep a copy of the store and report it.',
    });
  }
  return findings;
}
