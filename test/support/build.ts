/** Once per run of the end-to-end tests: they start `dist/cli/main.js`, so dist must be what src says. */
import { buildIfStale } from '../../scripts/build.ts';

export function setup(): void {
  buildIfStale();
}
