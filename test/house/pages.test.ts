/**
 * The pages people expect: that they are there, that the tables among them say what the code says, that links lead
 * somewhere, and that no page or file tells of the machine it was written on.
 */
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAILURES } from '../../src/protocol/failure.ts';
import { LIMITS } from '../../src/protocol/limits.ts';
import { exists, read, readJson, trackedFiles } from './tree.ts';

const EXPECTED = [
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'LICENSE',
  'README.md',
  'SECURITY.md',
  'docs/failures.md',
  'docs/limits.md',
  'docs/protocol.md',
];

describe('the pages', () => {
  const pages = trackedFiles().filter((file) => file.endsWith('.md'));

  it('that people expect are there', () => {
    expect(EXPECTED.filter((page) => !exists(page))).toEqual([]);
  });

  it('link only to files and headings that exist', () => {
    const broken = pages.flatMap((page) =>
      linksOf(read(page)).flatMap((link) => {
        const [path = '', heading] = link.split('#', 2);
        const target = path === '' ? page : normalize(join(dirname(page), decodeURI(path)));
        const isFound = exists(target) && (heading === undefined || headingsOf(read(target)).includes(heading));
        return isFound ? [] : [`${page}: ${link}`];
      }),
    );
    expect(broken).toEqual([]);
  });

  it('have headings that are titles, not sentences', () => {
    const sentences = pages.flatMap((page) =>
      [...read(page).matchAll(/^#+ .*\.$/gm)].map(([line]) => `${page}: ${line}`),
    );
    expect(sentences).toEqual([]);
  });

  it('that are in the package link to what is in it, too', () => {
    const { files } = readJson('package.json') as { files: string[] };
    const packed = [...files, 'README.md', 'LICENSE', 'package.json'];
    const isPacked = (path: string): boolean => packed.some((one) => path === one || path.startsWith(`${one}/`));
    const broken = pages.filter(isPacked).flatMap((page) =>
      linksOf(read(page)).flatMap((link) => {
        const path = normalize(join(dirname(page), decodeURI(link.split('#', 1)[0] ?? '')));
        return path === '.' || link.startsWith('#') || isPacked(path) ? [] : [`${page}: ${link}`];
      }),
    );
    expect(broken).toEqual([]);
  });

  it('name only scripts that package.json has', () => {
    const { scripts } = readJson('package.json') as { scripts: Record<string, string> };
    const unknown = pages.flatMap((page) =>
      [...read(page).matchAll(/\bnpm run ([a-z][a-z:]*)/g)]
        .filter(([, script]) => scripts[script ?? ''] === undefined)
        .map(([command]) => `${page}: ${command}`),
    );
    expect(unknown).toEqual([]);
  });
});

describe('ARCHITECTURE.md', () => {
  it('has a row for every room, and no other', () => {
    const rooms = trackedFiles().flatMap((file) => /^src\/[^/]+(?=\/)/.exec(file)?.[0] ?? []);
    const rows = [...rowsOf('ARCHITECTURE.md', 'Room').keys()].filter((room) => room !== 'src/*.ts');
    expect(rows.sort()).toEqual([...new Set(rooms)].sort());
  });

  it('names every folder of the largest room', () => {
    const folders = trackedFiles().flatMap((file) => /^src\/actors\/([^/]+)\//.exec(file)?.[1] ?? []);
    const named = [...(rowsOf('ARCHITECTURE.md', 'Room').get('src/actors')?.[0] ?? '').matchAll(/`(\w+)`/g)];
    expect(named.map(([, folder]) => folder).sort()).toEqual([...new Set(folders)].sort());
  });

  it('names every folder of the gateway', () => {
    const folders = trackedFiles().flatMap((file) => /^src\/actors\/gateway\/([^/]+)\//.exec(file)?.[1] ?? []);
    const [, said = ''] = /Behind them: (.*?)\n\n/s.exec(read('ARCHITECTURE.md')) ?? [];
    const named = [...said.matchAll(/`(\w+)`/g)];
    expect(named.map(([, folder]) => folder).sort()).toEqual([...new Set(folders)].sort());
  });
});

describe('docs/failures.md', () => {
  const rows = rowsOf('docs/failures.md', 'Code');

  it('has a row for every code, and no other', () => {
    expect([...rows.keys()].sort()).toEqual(Object.keys(FAILURES).sort());
  });

  it('says of each what the table in the code says', () => {
    for (const [code, failure] of Object.entries(FAILURES)) {
      const close = 'close' in failure && failure.close !== undefined ? String(failure.close) : '–';
      const [retryable, closes, means, hint] = rows.get(code) ?? [];
      expect([code, retryable, closes, means?.toLowerCase(), hint]).toEqual([
        code,
        failure.retryable ? 'yes' : 'no',
        close,
        `${failure.means}.`.toLowerCase(),
        failure.hint,
      ]);
    }
  });
});

describe('docs/limits.md', () => {
  const rows = rowsOf('docs/limits.md', 'Limit');

  it('has a row for every limit, and no other', () => {
    expect([...rows.keys()].sort()).toEqual(Object.keys(LIMITS).sort());
  });

  it('says of each what the table in the code says', () => {
    for (const [name, limit] of Object.entries(LIMITS)) {
      const [value = '', why, reached] = rows.get(name) ?? [];
      const number = Number(/^[\d .]+/.exec(value)?.[0].replaceAll(' ', ''));
      expect([name, number, why, reached]).toEqual([name, limit.value, limit.why, limit.reached]);
      if (limit.unit !== 'count') expect(value).toContain(limit.unit);
    }
  });
});

describe('CHANGELOG.md', () => {
  const text = read('CHANGELOG.md');
  const versions = [...text.matchAll(/^## \[(.+?)\](?: - (.+))?$/gm)].map(([, version, date]) => ({ version, date }));

  it('begins with what is not released yet, and dates what is', () => {
    expect(text).toMatch(/^# Changelog\n/);
    expect(versions[0]).toEqual({ version: 'Unreleased', date: undefined });
    for (const { version, date } of versions.slice(1)) {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
      expect(date).toMatch(/^\d{4}-\d{2}-\d{2}$/);
    }
    const dates = versions.slice(1).map(({ date }) => date);
    expect(dates).toEqual(dates.toSorted().reverse());
  });

  it('sorts changes by what they mean to a user', () => {
    const kinds = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'];
    const headings = [...text.matchAll(/^(#{2,})\s+(.+)$/gm)].filter(([, , title]) => !title?.startsWith('['));
    expect(headings.filter(([, level, title]) => level !== '###' || !kinds.includes(title ?? ''))).toEqual([]);
  });
});

describe('the tree', () => {
  it('tells nothing of the machine or the registry it was made with', () => {
    // Composed, so that this file does not accuse itself.
    const traces = new RegExp(
      [
        String.raw`(?<![\w.~-])/(?:home|Users)/[a-z][\w.-]*/`,
        String.raw`(?<![\w.~-])/(?:work|root)/[\w.-]+`,
        String.raw`[A-Z]:\\Users\\`,
        String.raw`https?://(?![\w.-]*\.(?:example|test|lan)\b)[\w.-]*(?:registry|artifactory|nexus|verdaccio)[\w.-]*`,
      ].join('|'),
    );
    const found = trackedFiles()
      .filter((file) => !/\.(bin|png|ico|woff2?)$/.test(file) && file !== 'test/house/pages.test.ts')
      .flatMap((file) => {
        const trace = traces.exec(read(file))?.[0];
        return trace === undefined ? [] : [`${file}: ${trace}`];
      });
    expect(found).toEqual([]);
  });
});

/** The relative links of a page, outside of code. */
function linksOf(page: string): string[] {
  const prose = page.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '');
  const markdown = [...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g)];
  const references = [...prose.matchAll(/^\[[^\]]+\]:\s+(\S+)/gm)];
  const html = [...prose.matchAll(/\b(?:src|href|srcset)="([^"]+)"/g)];
  return [...markdown, ...references, ...html]
    .map(([, link = '']) => link)
    .filter((link) => !/^[a-z][a-z+.-]*:/i.test(link));
}

/** The anchors of a page’s headings, as code hosts make them. */
function headingsOf(page: string): string[] {
  const counts = new Map<string, number>();
  const prose = page.replace(/^```[\s\S]*?^```/gm, '');
  const slugs = [...prose.matchAll(/^#{1,6}\s+(.+?)\s*$/gm)].map(([, title = '']) => {
    const slug = title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-');
    const count = counts.get(slug) ?? 0;
    counts.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
  const anchors = [...prose.matchAll(/\b(?:id|name)="([^"]+)"/g)].map(([, anchor = '']) => anchor);
  return [...slugs, ...anchors];
}

/** The rows of a page’s tables whose first column has that head, by the name in it. */
function rowsOf(file: string, head: string): Map<string, string[]> {
  const rows = new Map<string, string[]>();
  let isInside = false;
  for (const line of read(file).split('\n')) {
    const cells = line.startsWith('|') ? line.slice(1, -1).split(/(?<!\\)\|/) : [];
    const [first = '', ...rest] = cells.map((cell) => cell.trim().replaceAll('\\|', '|'));
    if (cells.length === 0 || first === head) isInside = first === head;
    else if (isInside && !first.startsWith('-')) rows.set(first.replaceAll('`', ''), rest);
  }
  return rows;
}
