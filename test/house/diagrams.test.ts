/** The drawings in diagrams/: of the charts that run, complete, and the same on every machine. */
import { describe, expect, it } from 'vitest';
import { drawings } from '../../scripts/diagrams.ts';
import { charts } from '../../src/machines/index.ts';
import { outlineOf } from '../../src/testing/outline.ts';
import { exists, read, trackedFiles } from './tree.ts';

const wanted = await drawings();

describe('the diagrams', () => {
  it.each([...wanted.keys()])('%s is what its chart looks like', (file) => {
    expect(exists(`diagrams/${file}`), `diagrams/${file} is missing: run \`npm run diagrams\``).toBe(true);
    expect(read(`diagrams/${file}`), 'run `npm run diagrams`').toBe(wanted.get(file));
  });

  it('are all there is in their folder', () => {
    const files = trackedFiles().filter((file) => file.startsWith('diagrams/'));
    expect(files).toEqual([...wanted.keys()].map((file) => `diagrams/${file}`).sort());
  });

  it('are drawn the same again', async () => {
    expect([...(await drawings())]).toEqual([...wanted]);
  });

  it.each(Object.entries(charts))('of %s name every state, event, guard and action', (name, machine) => {
    const { states, transitions } = outlineOf(machine);
    const names = [
      ...states.flatMap(({ key, entry, exit }) => [key, ...entry, ...exit]),
      ...transitions.flatMap(({ event, guard, actions }) => [event ?? '', guard, ...actions]),
    ];
    const svg = (wanted.get(`${name}.svg`) ?? '').replaceAll(/&#(\d+);/g, (_, code) =>
      String.fromCodePoint(Number(code)),
    );
    for (const said of names) {
      expect(wanted.get(`${name}.mmd`)).toContain(said);
      expect(svg).toContain(said);
    }
  });

  it('show in README.md every chart with its drawings', () => {
    for (const name of Object.keys(charts)) expect(wanted.get('README.md')).toContain(`](${name}.svg)`);
  });
});
