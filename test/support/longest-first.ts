/**
 * The order of the test files: the longest first, so that none of them is begun when the others are done and the second
 * core has nothing left. The runner knows how long a file took only where it has run before, and CI is always new.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** End-to-end files that take far longer than their size tells, the longest first. Most of it they wait. */
const LONG_WAITS = ['e2e/liveness', 'e2e/isolation-failures', 'e2e/journey', 'e2e/store-power'];

/** The same of the others, which compute. */
const LONG = ['actors/store/lmdb', 'scenarios/faults', 'compile/charts', 'actors/store/memory/memory-store'];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    // What waits and what computes share the time; files of one process follow each other, since others would end it.
    const rank = ({ moduleId, project }: TestSpecification): number => {
      const placeIn = (names: readonly string[]): number => {
        const place = names.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
        return place === -1 ? names.length : place;
      };
      if (project.name === 'unit') return LONG_WAITS.length + placeIn(LONG);
      const place = placeIn(LONG_WAITS);
      return place < LONG_WAITS.length ? place : LONG_WAITS.length + LONG.length + 1;
    };
    // A stable sort: the rest stays as the runner has it.
    return sorted.sort((one, other) => rank(one) - rank(other));
  }
}
