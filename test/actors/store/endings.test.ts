/** What is kept of the courses of settled tasks gives back what they were. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Endings } from '../../../src/actors/store/memory/endings.ts';
import { entriesOf, Histories, submittedHistory } from '../../../src/actors/store/memory/packed-history.ts';
import { Course } from '../../../src/actors/store/memory/row-parts.ts';

const CREATED_AT = 1_795_000_000_000;

const nameOrNull = fc.constantFrom(null, 'n1', 'n2');
const timeOrNull = fc.oneof(fc.constant(null), fc.double({ min: 0, max: 2e12, noNaN: true }));
const duration = fc.double({ min: 0, max: 1e9, noNaN: true });
const count = fc.nat(2 ** 31 - 1);

const fields = fc.record({
  ...{ attempt: count, attemptsStarted: count, failures: count, crashes: count, settledBy: count, entries: count },
  ...{ cancelRequested: fc.boolean(), hasStarted: fc.boolean() },
  ...{ owner: nameOrNull, node: nameOrNull, lastNode: nameOrNull },
  ...{ startedAt: timeOrNull, finishedAt: timeOrNull, startedMs: duration, finishedMs: duration },
  ...{ queuedMs: duration, runMs: duration, resultBytes: count, resultAt: count },
  error: fc.constantFrom(null, { code: 'HANDLER_FAILED', message: 'no', retryable: false } as const),
  result: fc.constantFrom(null, new ArrayBuffer(8)),
});

const told = fc.record({
  at: fc.oneof(fc.integer({ min: CREATED_AT, max: CREATED_AT + 5_000 }), fc.double({ min: 0, max: 1e13, noNaN: true })),
  event: fc.constantFrom('task.claimed', 'task.assigned', 'attempt.started', 'task.completed'),
  node: fc.constantFrom(undefined, 'n1', 'n2'),
});

// Long ones, too, whose numbers do not share a slab with others.
const history = fc.oneof(
  { weight: 9, arbitrary: fc.array(told, { maxLength: 6 }) },
  { weight: 1, arbitrary: fc.array(told, { minLength: 120, maxLength: 140 }) },
);

describe('what is kept of a settled task', () => {
  it('is all that its course was, however many others lie beside it', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fields, history), { minLength: 1, maxLength: 80 }), (all) => {
        const [endings, histories] = [new Endings(), new Histories()];
        const courses = all.map(([own, entries]) => {
          const course = Object.assign(new Course(submittedHistory(0)), own);
          const row = { createdAt: CREATED_AT, ownCourse: () => course };
          for (const each of entries) histories.add(row, each, 1, 'home', 1_000);
          return course;
        });
        const kept = courses.map((course) => endings.of(course));
        for (const [index, course] of courses.entries()) {
          const ending = kept[index] as Course;
          for (const name of Object.keys(course) as (keyof Course)[]) expect(ending[name]).toEqual(course[name]);
          const entriesIn = ({ history: packed }: Course) => entriesOf(packed, CREATED_AT, packed.length / 2);
          expect(entriesIn(ending)).toEqual(entriesIn(course));
        }
      }),
      { numRuns: 100 },
    );
  });

  it('is let go by its owner, and changes in nothing else', () => {
    const course = new Course(submittedHistory(0));
    course.owner = 'home';
    const ending = new Endings().of(course) as Course;
    ending.owner = null;
    expect(ending.owner).toBeNull();
    expect(() => {
      ending.attempt = 2;
    }).toThrow(TypeError);
  });

  it('has its lines in common with those that went as it did, if they are few', () => {
    const [endings, histories] = [new Endings(), new Histories()];
    const endingOf = (node: string, entries = 1) => {
      const course = new Course(submittedHistory(0));
      const row = { createdAt: CREATED_AT, ownCourse: () => course };
      const entry = { at: CREATED_AT + 1, event: 'task.completed', node };
      for (let n = 0; n < entries; n += 1) histories.add(row, entry, 1, 'home', 100);
      return endings.of(course);
    };
    expect(endingOf('n1').lines).toBe(endingOf('n1').lines);
    expect(endingOf('n1').lines).not.toBe(endingOf('n2').lines);
    expect(endingOf('n1', 8).lines).not.toBe(endingOf('n1', 8).lines);
  });
});
