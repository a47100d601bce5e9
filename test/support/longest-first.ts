/**
 * The order of the test files: the longest first, so that none of them is begun when the others are done and the second
 * core has nothing left. The runner knows how long a file took only where it has run before, and CI is always new.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take far longer than their size tells, the longest first. */
const LONG = [
  ...['scenarios/faults', 'actors/store/lmdb', 'actors/store/memory', 'compile/charts'],
  ...['e2e/chaos', 'e2e/liveness', 'e2e/roles', 'e2e/journey', 'e2e/store-power'],
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = LONG.findIndex((file) => moduleId.endsWith(`/test/${file}.test.ts`));
      return index === -1 ? LONG.length : index;
    };
    // A stable sort: groups stay apart, and the rest stays as the runner has it.
    const group = ({ project }: TestSpecification): number => project.config.sequence.groupOrder ?? 0;
    return sorted.sort((one, other) => group(one) - group(other) || rank(one) - rank(other));
  }
}
