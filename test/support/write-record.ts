/** The record of what a process wrote (fixtures/store/record-writes.c), and the disks that a power failure could have left. */
import type { Random } from '../../src/protocol/ports.ts';
import { emptyLedger, type Ledger } from './store-writer.ts';

/** What can be lost in part: a disk writes this many bytes or none of them. */
const SECTOR_BYTES = 512;
const HEAD_BYTES = 17;

interface Entry {
  readonly kind: string;
  readonly offset: number;
  readonly bytes: Buffer;
}

/** A disk after the power failed, and what had been acknowledged until then. */
export interface Image {
  readonly bytes: Buffer;
  readonly ledger: Ledger;
  /** Writes that were not on the disk for sure. */
  readonly pending: number;
}

/** The disks after power failures at `count` random moments of a record. `isTorn`: a write may be there in part. */
export function* imagesOf(record: Buffer, count: number, random: Random, isTorn: boolean): Generator<Image, void> {
  const entries = entriesOf(record);
  const cuts = Array.from({ length: count }, () => 1 + Math.floor(random() * entries.length)).sort((a, b) => a - b);
  const disk = new Disk();
  let at = 0;
  for (const cut of cuts) {
    for (; at < cut; at += 1) disk.take(entries[at] as Entry);
    yield disk.image(random, isTorn);
  }
}

function entriesOf(record: Buffer): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at + HEAD_BYTES <= record.byteLength; ) {
    const kind = String.fromCharCode(record[at] ?? 0);
    const offset = Number(record.readBigInt64LE(at + 1));
    const length = Number(record.readBigUInt64LE(at + 9));
    at += HEAD_BYTES;
    if (at + length > record.byteLength) break;
    entries.push({ kind, offset, bytes: record.subarray(at, at + length) });
    at += length;
  }
  return entries;
}

class Disk {
  readonly #ledger = emptyLedger();
  #safe: Buffer = Buffer.alloc(0);
  #pending: Entry[] = [];
  /** How many of the pending writes the flush covers that is under way. */
  #flushing = 0;

  take(entry: Entry): void {
    if (entry.kind === 'W') this.#pending.push(entry);
    if (entry.kind === 'B') this.#flushing = this.#pending.length;
    if (entry.kind === 'E')
      for (const write of this.#pending.splice(0, this.#flushing)) this.#safe = laid(this.#safe, write);
    if (entry.kind === 'D') {
      const at = this.#pending.findLastIndex(({ offset }) => offset === entry.offset);
      for (const write of this.#pending.splice(at, at < 0 ? 0 : 1)) this.#safe = laid(this.#safe, write);
    }
    if (entry.kind === 'A') this.#hear(entry.bytes.toString());
  }

  image(random: Random, isTorn: boolean): Image {
    let bytes: Buffer = Buffer.from(this.#safe);
    for (const write of this.#pending) {
      if (random() < 0.5) continue;
      for (const part of isTorn ? torn(write, random) : [write]) bytes = laid(bytes, part);
    }
    const { submitted, completed } = this.#ledger;
    return {
      bytes,
      ledger: { submitted: new Set(submitted), completed: new Set(completed) },
      pending: this.#pending.length,
    };
  }

  #hear(said: string): void {
    for (const line of said.split('\n')) {
      const [what, name = ''] = line.split(' ');
      if (what === 's') this.#ledger.submitted.add(name);
      if (what === 'c') this.#ledger.completed.add(name);
    }
  }
}

function laid(disk: Buffer, { offset, bytes }: Entry): Buffer {
  const end = offset + bytes.byteLength;
  const grown = end <= disk.byteLength ? disk : Buffer.concat([disk, Buffer.alloc(end - disk.byteLength)]);
  bytes.copy(grown, offset);
  return grown;
}

function torn({ kind, offset, bytes }: Entry, random: Random): Entry[] {
  const parts: Entry[] = [];
  for (let at = 0; at < bytes.byteLength; at += SECTOR_BYTES) {
    if (random() < 0.5) parts.push({ kind, offset: offset + at, bytes: bytes.subarray(at, at + SECTOR_BYTES) });
  }
  return parts;
}
