/** What a gateway counts of itself; tasks and nodes are counted for all gateways, in questions.ts. */
import type { Answer } from '../../../protocol/query.ts';
import type { PostCounters } from '../../../transport/post.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Dispatch } from '../dispatch/dispatch.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Tasks } from '../tasks/tasks.ts';

export interface OwnStatsSources {
  readonly gatewayId: string;
  readonly status: string;
  readonly upMs: number;
  readonly posts: PostCounters;
  readonly dispatch: Dispatch;
  readonly cluster: Cluster;
  readonly sessions: Sessions;
  readonly tasks: Tasks;
}

export type OwnStats = Omit<Answer<'stats'>, 'tasks' | 'nodes' | 'starved'>;

export function ownStats({ posts, dispatch, cluster, sessions, tasks, ...own }: OwnStatsSources): OwnStats {
  return {
    ...own,
    scheduler: dispatch.status,
    paused: dispatch.paused(),
    draining: cluster.orders.standing.refused(),
    counters: {
      ...posts,
      ...cluster.counters,
      sessions: sessions.size,
      liveTasks: tasks.size,
      resultsLate: tasks.dropped.late,
      resultsForeign: tasks.dropped.foreign,
      resultsDuplicate: tasks.dropped.duplicate,
      resultsStale: tasks.dropped.stale,
      ...Object.fromEntries([...sessions.faults].map(([code, count]) => [`fault.${code}`, count])),
    },
  };
}
