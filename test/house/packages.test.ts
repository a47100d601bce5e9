/**
 * What is installed with Pincer, as the lockfile says: few packages, known licences, no scripts run at install time, the
 * oldest Node we promise, and no version that is known to be unsafe.
 */
import { describe, expect, it } from 'vitest';
import { readJson } from './tree.ts';

const DEPENDENCIES_MAX = 17;
const LICENCES = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT'];

/** The oldest version without a known fault, and the fault. */
const SAFE_FROM: Readonly<Record<string, { readonly version: string; readonly why: string }>> = {
  msgpackr: { version: '1.10.1', why: 'CVE-2023-52079: unbounded recursion on keys' },
  ws: { version: '8.21.0', why: 'CVE-2026-48779: memory of fragments; CVE-2024-37890 and CVE-2021-32640 before it' },
};

/**
 * The packages that may run a script at install time, which is not run (see allowScripts): both look for a build to
 * compile, and both come with one for every platform that we name.
 */
const MAY_HAVE_SCRIPTS = ['lmdb', 'msgpackr-extract'];

interface Locked {
  readonly version: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly engines?: { readonly node?: string };
  readonly hasInstallScript?: boolean;
  readonly resolved?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const own = readJson('package.json') as {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  engines: { node: string };
  allowScripts: Record<string, boolean>;
};
const lock = readJson('package-lock.json') as { packages: Record<string, Locked> };
const installed = Object.entries(lock.packages)
  .filter(([path]) => path !== '')
  .map(([path, locked]) => ({ name: path.slice(path.lastIndexOf('node_modules/') + 13), ...locked }));
const shipped = installed.filter(({ dev }) => dev !== true);

describe('a package that Pincer needs at run time', () => {
  it(`is one of at most ${DEPENDENCIES_MAX}, pinned exactly`, () => {
    expect(Object.keys(own.dependencies).length).toBeLessThanOrEqual(DEPENDENCIES_MAX);
    const pins = Object.entries({ ...own.dependencies, ...own.devDependencies });
    expect(pins.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  it('is in the lockfile at the version of package.json', () => {
    for (const [name, version] of Object.entries({ ...own.dependencies, ...own.devDependencies })) {
      expect([name, lock.packages[`node_modules/${name}`]?.version]).toEqual([name, version]);
    }
  });

  it('runs on the oldest Node that Pincer promises', () => {
    const oldest = /^>=(\d+\.\d+)$/.exec(own.engines.node)?.[1];
    expect(oldest).toBeDefined();
    const refusing = shipped.filter(({ engines }) => !admits(engines?.node ?? '*', `${oldest}.0`));
    expect(refusing.map(({ name, engines }) => `${name}: ${engines?.node}`)).toEqual([]);
  });

  it('has a licence that lets everyone use it', () => {
    const others = shipped.filter(({ license }) => !LICENCES.includes(license ?? 'none'));
    expect(others.map(({ name, license }) => `${name}: ${license}`)).toEqual([]);
  });

  it('runs no script when it is installed', () => {
    const scripted = shipped.filter(({ hasInstallScript }) => hasInstallScript === true).map(({ name }) => name);
    expect(scripted.filter((name) => !MAY_HAVE_SCRIPTS.includes(name))).toEqual([]);
    expect(scripted.filter((name) => own.allowScripts[name] !== false)).toEqual([]);
  });

  it.each(Object.entries(SAFE_FROM))('%s is no version that is known to be unsafe', (name, { version, why }) => {
    const copies = installed.filter((locked) => locked.name === name);
    expect(copies.length).toBeGreaterThan(0);
    expect(
      copies.filter((copy) => compare(copy.version, version) < 0).map((copy) => `${copy.version}: ${why}`),
    ).toEqual([]);
  });
});

describe('the lockfile', () => {
  it('names no registry: everyone installs from their own', () => {
    expect(installed.filter(({ resolved }) => resolved !== undefined).map(({ name }) => name)).toEqual([]);
  });

  it('has what every package asks for, for every machine it may be installed on', () => {
    const names = new Set(installed.map(({ name }) => name));
    const missing = installed.flatMap(({ name, dependencies, optionalDependencies }) =>
      Object.keys({ ...dependencies, ...optionalDependencies })
        .filter((needed) => !names.has(needed))
        .map((needed) => `${needed}, for ${name}`),
    );
    expect(missing, 'run `npm run lockfile`: `npm ci` fails without them').toEqual([]);
  });
});

describe('the range check of this file', () => {
  it.each([
    ['>=18', true],
    ['>= 0.6', true],
    ['>=20.19.0', true],
    ['^20.19.0 || >=22.12.0', true],
    ['20 || 22', true],
    ['20.x', true],
    ['*', true],
    ['>=18 <21', true],
    ['>=20.20', false],
    ['>=22', false],
    ['^18.0.0 || ^22.0.0', false],
    ['>=18 <20', false],
    ['something else', false],
  ])('knows whether %s admits 20.19.0', (range, isAdmitted) => {
    expect(admits(range, '20.19.0')).toBe(isAdmitted);
  });
});

/** Whether a range of the kinds that `engines` uses admits a version; a range it cannot read admits nothing. */
function admits(range: string, version: string): boolean {
  return range.split('||').some((part) => {
    const comparators = part
      .trim()
      .replace(/([<>=^~]+)\s+/g, '$1')
      .split(/\s+/);
    return comparators.every((comparator) => {
      const [, operator, bound] = /^(>=|<=|>|<|=|\^|~|)v?(\d+(?:\.(?:\d+|x|\*))*|\*)$/.exec(comparator) ?? [];
      if (operator === undefined || bound === undefined) return false;
      if (bound === '*') return true;
      const order = compare(version, bound);
      const depth =
        operator === '^' ? 1 : operator === '~' ? 2 : bound.split('.').filter((step) => /^\d+$/.test(step)).length;
      const isSame = version.split('.').slice(0, depth).join('.') === bound.split('.').slice(0, depth).join('.');
      if (operator === '>=') return order >= 0;
      if (operator === '>') return order > 0 && !isSame;
      if (operator === '<') return order < 0;
      if (operator === '<=') return order <= 0 || isSame;
      return isSame && order >= 0;
    });
  });
}

function compare(one: string, other: string): number {
  const [a, b] = [one, other].map((version) => version.split('.').map((step) => Number.parseInt(step, 10) || 0));
  for (let index = 0; index < 3; index++) {
    const difference = (a?.[index] ?? 0) - (b?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
