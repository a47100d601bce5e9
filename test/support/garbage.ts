/** What of some objects is still there when all that nobody holds has been collected. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** How many of them are held. Asked in a turn of its own, since an object lives as long as the turn in which it was looked at. */
export async function heldOf(objects: readonly WeakRef<object>[]): Promise<number> {
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  return objects.filter((each) => each.deref() !== undefined).length;
}
