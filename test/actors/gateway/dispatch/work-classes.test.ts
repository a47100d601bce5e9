/** What is remembered of requirement classes: for how long it holds, and of how many. */
import { describe, expect, it } from 'vitest';
import { WorkClasses } from '../../../../src/actors/gateway/dispatch/work-classes.ts';
import type { Node, Nodes } from '../../../../src/actors/gateway/nodes/nodes.ts';
import { classOf } from '../../../../src/machines/policies/requirement-class.ts';

const node = (nodeId: string, ...capabilities: string[]) =>
  ({ nodeId, kind: 'agent', capabilities: new Set(capabilities), taskTypes: null, labels: {}, resources: {} }) as never;

function sceneOf(...present: Node[]) {
  const asked = { times: 0 };
  const nodes = {
    version: 1,
    all() {
      asked.times += 1;
      return present.values();
    },
    get: (name: string) => present.find(({ nodeId }) => nodeId === name),
  };
  const classes = new WorkClasses(nodes as unknown as Nodes);
  const fitting = (queue: string) => classes.of(queue).fitting.map(({ nodeId }) => nodeId);
  return { classes, nodes, present, asked, fitting };
}

describe('a class of work', () => {
  it('fits the nodes that could ever do it, which is found out anew only when they have changed', () => {
    const { classes, nodes, present, asked, fitting } = sceneOf(node('n'), node('m', 'gpu'));
    expect([fitting('echo '), fitting('echo gpu')]).toEqual([['n', 'm'], ['m']]);
    present.push(node('o', 'gpu'));
    expect([fitting('echo gpu'), asked.times]).toEqual([['m'], 2]);
    nodes.version += 1;
    expect([fitting('echo gpu'), asked.times]).toEqual([['m', 'o'], 3]);
    expect([...classes.of('echo gpu').isFitting].map(({ nodeId }) => nodeId)).toEqual(['m', 'o']);
    expect(classes.of('echo gpu').requirement).toEqual({ type: 'echo', needs: ['gpu'] });
  });

  it('asks once for all that differ in their limit alone, and anew when the nodes have changed', () => {
    const { classes, nodes, asked } = sceneOf(node('n'), node('m'));
    const queues = Array.from({ length: 2_000 }, (_, n) => classOf({ type: 'job', needs: [], limitKey: `user-${n}` }));
    const asksOf = () => {
      expect(queues.filter((queue) => classes.of(queue).fitting.length !== 2)).toEqual([]);
      return asked.times;
    };
    expect([asksOf(), asksOf()]).toEqual([1, 1]);
    expect(classes.of(queues[7] as string).requirement.limitKey).toBe('user-7');
    nodes.version += 1;
    expect(asksOf()).toBe(2);
  });

  it('that names a node asks no other', () => {
    const { asked, fitting } = sceneOf(node('n'), node('m'));
    const onNode = (name: string) => fitting(classOf({ type: 'job', needs: [], node: name }));
    expect([onNode('m'), onNode('gone'), asked.times]).toEqual([['m'], [], 0]);
  });

  it('is forgotten with all others when there are more than 16,384 of them', () => {
    const { classes } = sceneOf();
    const first = classes.of('type-0 ');
    for (let index = 1; index < 16_384; index += 1) classes.of(`type-${index} `);
    expect(classes.of('type-0 ')).toBe(first);
    classes.of('one-more ');
    expect(classes.of('type-0 ')).not.toBe(first);
  });
});
