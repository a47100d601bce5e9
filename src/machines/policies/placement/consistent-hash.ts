import type { Candidate, Strategy } from './placement.ts';

/** A node may have this many times the average share of taken slots before its keys go to their second choice. */
const LOAD_FACTOR = 1.25;
/** Whatever the average is: below this share of its slots there is nothing to balance that would be worth to part a key. */
const SHARE_FREE = 0.5;

/**
 * Keeps tasks of one affinity key on one node: rendezvous hashing, so that a node that comes or goes moves only the keys
 * that are its own, with bounded load: a node that is more than half full and above the average gives its keys away. Without a key the task id decides, which spreads but keeps nothing together.
 * @see Thaler and Ravishankar, “Using Name-Based Mappings to Increase Hit Rates”, 1998
 * @see Mirrokni, Thorup and Zadimoghaddam, “Consistent Hashing with Bounded Loads”, 2016
 */
export const consistentHash: Strategy = (candidates, { affinityKey, taskId }) => {
  const key = affinityKey ?? taskId;
  let running = 1;
  let slots = 0;
  for (const candidate of candidates) {
    running += candidate.running;
    slots += candidate.slots;
  }
  const shareMax = Math.max(SHARE_FREE, (LOAD_FACTOR * running) / slots);
  let best: Candidate | undefined;
  let bestScore = -1;
  let isBestWithin = false;
  for (const candidate of candidates) {
    const score = hash(`${key}\u0000${candidate.nodeId}`);
    // One more task may always round up to a whole slot, or small nodes would never be within bounds.
    const isWithin = candidate.running < Math.ceil(shareMax * candidate.slots);
    const isBetter =
      isWithin === isBestWithin
        ? score > bestScore || (score === bestScore && best !== undefined && candidate.nodeId < best.nodeId)
        : isWithin;
    if (best === undefined || isBetter) [best, bestScore, isBestWithin] = [candidate, score, isWithin];
  }
  return best?.nodeId;
};

/** 32-bit FNV-1a over UTF-16 code units, finished with MurmurHash3’s avalanche: FNV alone orders similar names alike. */
function hash(text: string): number {
  let value = 0x811c_9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value ^= text.charCodeAt(index);
    value = Math.imul(value, 0x0100_0193);
  }
  value ^= value >>> 16;
  value = Math.imul(value, 0x85eb_ca6b);
  value ^= value >>> 13;
  value = Math.imul(value, 0xc2b2_ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
