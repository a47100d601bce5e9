/** Which strategy places the tasks of which type. One of the app’s own may fail, and no task may be lost by that. */
import { strategyOf } from '../../../machines/policies/placement/index.ts';
import { leastConnections } from '../../../machines/policies/placement/least-connections.ts';
import type { Strategy } from '../../../machines/policies/placement/placement.ts';
import { PincerError } from '../../../protocol/failure.ts';
import type { Log } from '../../../protocol/ports.ts';
import type { GatewayOptions } from '../gateway-options.ts';
import { placeOf } from './candidates.ts';

/**
 * The strategy of each task type.
 * @throws PincerError `OPTION_INVALID` for a name that is none, and for a strategy that is no function
 */
export function strategiesOf(
  options: Pick<GatewayOptions, 'strategy' | 'strategyByType' | 'strategies'>,
  log: Log,
): (type: string) => Strategy {
  const own: Record<string, Strategy> = {};
  for (const [name, strategy] of Object.entries(options.strategies ?? {})) own[name] = guarded(name, strategy, log);
  const usual = strategyOf(options.strategy ?? 'least-connections', own);
  const byType = new Map(
    Object.entries(options.strategyByType ?? {}).map(([type, name]) => [type, strategyOf(name, own)]),
  );
  return (type) => byType.get(type) ?? usual;
}

/**
 * A strategy that throws would take what was just claimed along, one that names no candidate would have it claimed and
 * given back for ever; and nobody would be told. So another one takes its place for that task.
 */
function guarded(name: string, strategy: Strategy, log: Log): Strategy {
  if (typeof strategy !== 'function') {
    throw new PincerError('OPTION_INVALID', `strategies.${name} is ${String(strategy)}, must be a function`);
  }
  let isFailing = false;
  return (candidates, placement) => {
    if (candidates.length === 0) return undefined;
    const answer = answerOf(strategy, candidates, placement);
    if ('nodeId' in answer) {
      isFailing = false;
      return answer.nodeId;
    }
    // Once, until it works again: it is asked for each task.
    if (!isFailing) log.error('strategy.failed', { strategy: name, error: answer.error });
    isFailing = true;
    return leastConnections(candidates, placement);
  };
}

function answerOf(strategy: Strategy, ...[candidates, placement]: Parameters<Strategy>) {
  try {
    const nodeId: unknown = strategy(candidates, placement);
    if (typeof nodeId === 'string' && placeOf(nodeId, candidates) >= 0) return { nodeId };
    return { error: `it chose ${String(nodeId)}, which is none of the candidates` };
  } catch (error) {
    return { error: `it threw ${String(error)}` };
  }
}
