/**
 * Completes package-lock.json: `npm run lockfile`, after adding a package. Where a registry lacks the builds of a package
 * for other machines (`…-darwin-arm64`), npm leaves them out without a word, and `npm ci` then fails everywhere. What
 * is missing is only a name, a version and a machine, and all three can be read from the package that asks for it.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = 'package-lock.json';
const OS = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const CPU = ['arm', 'arm64', 'ia32', 'ppc64', 'riscv64', 's390x', 'x64'];

interface Locked {
  readonly version: string;
  readonly dev?: boolean;
  readonly license?: string;
  readonly engines?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const lock = JSON.parse(readFileSync(FILE, 'utf8')) as { packages: Record<string, Locked> };
const added: string[] = [];

for (const [path, owner] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(owner.optionalDependencies ?? {})) {
    if (isLocked(path, name)) continue;
    lock.packages[`node_modules/${name}`] = entryFor(name, version, owner);
    added.push(`${name}@${version}`);
  }
}

if (added.length > 0) {
  const { '': root, ...others } = lock.packages;
  const sorted = Object.entries(others).sort(([one], [other]) => one.localeCompare(other, 'en'));
  lock.packages = { '': root as Locked, ...Object.fromEntries(sorted) };
  writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`);
}
console.log(added.length === 0 ? 'nothing is missing' : `added ${added.join(', ')}`);

/** Whether a package finds another one: beside itself, or in a folder further up. */
function isLocked(path: string, name: string): boolean {
  const folders = path.split('/node_modules/').map((_, index, all) => all.slice(0, index + 1).join('/node_modules/'));
  return [...folders.map((folder) => `${folder}/node_modules/${name}`), `node_modules/${name}`].some(
    (place) => lock.packages[place] !== undefined,
  );
}

function entryFor(name: string, version: string, owner: Locked): Locked {
  const words = name.split(/[/-]/);
  const os = words.filter((word) => OS.includes(word));
  const cpu = words.filter((word) => CPU.includes(word));
  if (os.length !== 1 || cpu.length !== 1 || !/^\d+\.\d+\.\d+$/.test(version)) {
    throw new Error(`cannot tell the machine or the version of ${name}@${version}, which ${FILE} lacks`);
  }
  const libc = words.some((word) => word.startsWith('musl'))
    ? ['musl']
    : words.some((word) => word.startsWith('gnu'))
      ? ['glibc']
      : undefined;
  const { dev, license, engines } = owner;
  return {
    version,
    cpu,
    ...(dev === true && { dev }),
    ...(libc !== undefined && { libc }),
    ...(license !== undefined && { license }),
    optional: true,
    os,
    ...(engines !== undefined && { engines }),
  } as Locked;
}
