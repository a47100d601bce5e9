/** A disk of a few megabytes, in memory, that can be made larger while it is in use. Only root can have one. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import process from 'node:process';

export interface SmallDisk extends Disposable {
  readonly dir: string;
  grow(megabytes: number): void;
}

/** Why the machine cannot do it, or null. */
export function whyNoSmallDisk(): string | null {
  if (process.platform !== 'linux') return 'small disks are made with tmpfs, which is of Linux';
  if (process.getuid?.() !== 0) return 'only root can mount a small disk';
  const tried = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']);
  return tried.status === 0 ? null : 'this machine does not let root mount a small disk';
}

export function smallDisk(dir: string, megabytes: number): SmallDisk {
  mkdirSync(dir, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dir]);
  return {
    dir,
    grow: (size) => void execFileSync('mount', ['-o', `remount,size=${size}m`, dir]),
    [Symbol.dispose]: () => void execFileSync('umount', ['--lazy', dir]),
  };
}
