/** A discovery source that a test, or an app that knows its nodes by other means, fills by hand. */
import { PincerError } from '../../protocol/failure.ts';
import type { Candidate, DiscoverySource, SourceEvents } from './source.ts';

/** A source filled by hand. It is its own in-memory twin of the others: what it is told is what it says. */
export interface MemoryNodes extends DiscoverySource {
  /** Adds a candidate, or replaces the one with its id and address. Unchecked, as a network would be. */
  announce(candidate: Candidate): void;
  /** Removes all with this node id. */
  withdraw(nodeId: string): void;
  /** Fails from now on, also when it is started. */
  break(reason: string): void;
  /** Works again; a run that was told of the fault mends itself. */
  mend(): void;
  /** How many runs have started and not stopped. */
  readonly running: number;
}

/** A source without candidates. */
export function memoryNodes(): MemoryNodes {
  const candidates = new Map<string, Candidate>();
  const runs = new Set<SourceEvents>();
  let fault: PincerError | null = null;

  function tell(events: SourceEvents): void {
    if (fault === null) events.onCandidates([...candidates.values()]);
    else events.onFault(fault);
  }
  const tellAll = (): void => {
    for (const events of [...runs]) tell(events);
  };

  return {
    kind: 'memory',
    start(events) {
      runs.add(events);
      tell(events);
      return {
        async stop() {
          runs.delete(events);
        },
      };
    },
    announce(candidate) {
      candidates.set(`${candidate.nodeId}@${candidate.address ?? ''}`, candidate);
      tellAll();
    },
    withdraw(nodeId) {
      for (const [key, candidate] of [...candidates]) if (candidate.nodeId === nodeId) candidates.delete(key);
      tellAll();
    },
    break(reason) {
      fault = new PincerError('DISCOVERY_FAILED', reason);
      tellAll();
    },
    mend() {
      fault = null;
      tellAll();
    },
    get running() {
      return runs.size;
    },
  };
}
