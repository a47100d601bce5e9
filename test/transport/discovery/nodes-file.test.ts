import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { parseJsonText } from '../../../src/transport/discovery/json-text.ts';
import { parseNodesFile } from '../../../src/transport/discovery/nodes-file.ts';

const EXAMPLE = `{
  "nodes": [
    { "id": "agent-01", "type": "agent", "address": "192.168.1.10:18790",
      "capabilities": ["llm", "tools", "memory"], "maxTasks": 5 },
    { "id": "agent-02", "type": "agent", "address": "192.168.1.11:18790",
      "capabilities": ["llm", "tools"], "maxTasks": 3 },
    { "id": "channel-discord", "type": "channel", "address": "192.168.1.12:18790",
      "capabilities": ["discord"], "maxTasks": 10 }
  ]
}
`;

const refusal = (text: string): string => {
  try {
    parseNodesFile(text);
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
};

describe('a nodes.json', () => {
  it('may be the example of the specification', () => {
    expect(parseNodesFile(EXAMPLE)).toEqual([
      {
        nodeId: 'agent-01',
        type: 'agent',
        address: '192.168.1.10:18790',
        capabilities: ['llm', 'tools', 'memory'],
        maxTasks: 5,
      },
      { nodeId: 'agent-02', type: 'agent', address: '192.168.1.11:18790', capabilities: ['llm', 'tools'], maxTasks: 3 },
      {
        nodeId: 'channel-discord',
        type: 'channel',
        address: '192.168.1.12:18790',
        capabilities: ['discord'],
        maxTasks: 10,
      },
    ]);
  });

  it.each<readonly [what: string, from: string, to: string, message: RegExp]>([
    ['an unknown type', '"type": "channel"', '"type": "emperor"', /^nodes\.json:7:40: nodes\[2\]\.type: /],
    [
      'an address without a port',
      '192.168.1.11:18790',
      '192.168.1.11',
      /:5:53: nodes\[1\]\.address: must be host:port/,
    ],
    ['a port that is none', '192.168.1.11:18790', '192.168.1.11:99999', /:5:53: nodes\[1\]\.address: /],
    ['a capability that is a number', '"memory"]', '7]', /:4:40: nodes\[0\]\.capabilities\[2\]: /],
    ['slots below zero', '"maxTasks": 3', '"maxTasks": -3', /:6:53: nodes\[1\]\.maxTasks: /],
    [
      'a missing field',
      '"type": "agent", "address": "192.168.1.10:18790",',
      '"type": "agent",',
      /:3:5: nodes\[0\]\.address: /,
    ],
    [
      'a field that does not belong',
      '"maxTasks": 3 }',
      '"maxTask": 3 }',
      /:6:52: nodes\[1\]\.maxTask: Unrecognized key/,
    ],
    ['an id that is none', '"agent-02"', '"agent 02"', /:5:13: nodes\[1\]\.id: must be 1–64/],
    [
      'an id that occurs twice',
      '"agent-02"',
      '"agent-01"',
      /:5:13: nodes\[1\]\.id: agent-01 is declared on line 3 already/,
    ],
    ['a comment', '  "nodes"', '  // my nodes\n  "nodes"', /:2:3: JSON has no comments: remove this one/],
    ['a comma too many', '"maxTasks": 10 }', '"maxTasks": 10 },', /:9:3: a ',' before ']'/],
    ['a missing comma', '"maxTasks": 5 },', '"maxTasks": 5 }', /:5:5: expected ',' or ']', found "{"/],
    ['single quotes', '"agent-02"', "'agent-02'", /:5:13: expected a value, found "'"/],
    ['a key that occurs twice', '"maxTasks": 3', '"id": "x"', /:6:41: the field "id" occurs twice/],
    ['an end that is missing', '  ]\n}\n', '', /:9:1: the text ends where ',' or ']' is expected/],
  ])('that has %s is refused, with line, column and field', (_what, from, to, message) => {
    expect(EXAMPLE).toContain(from);
    expect(refusal(EXAMPLE.replace(from, to))).toMatch(message);
  });

  it.each(['', '[]', 'null', '{}', '{"nodes": {}}', '{"nodes": [null]}', '{"__proto__": {}}', `${'['.repeat(99_999)}`])(
    'is refused if it is %.20s',
    (text) => {
      expect(refusal(text)).toMatch(/^nodes\.json:\d+:\d+: \S/);
    },
  );

  it('with as many nodes as there may be, all of them wrong, keeps nobody waiting', () => {
    const wrong = { id: 'agent 01', type: 'emperor', address: 'here', capabilities: [7], maxTasks: -3 };
    const text = JSON.stringify({ nodes: Array.from({ length: defaultLimits.nodesMax }, () => wrong) }, null, 1);
    const startedAt = performance.now();
    expect(refusal(text)).toMatch(/^nodes\.json:4:10: nodes\[0\]\.id: /);
    // Seconds at most. It was more than a minute, in which a gateway did nothing else.
    expect(performance.now() - startedAt).toBeLessThan(40_000);
  });

  it('may leave the slots out, and begin with a byte order mark', () => {
    const [node] = parseNodesFile('\uFEFF{"nodes":[{"id":"a","type":"agent","address":"[::1]:1","capabilities":[]}]}');
    expect(node?.maxTasks).toBe(5);
  });
});

describe('the reader of JSON', () => {
  it('agrees with the one of the language on what is JSON and what it means', () => {
    const text = fc.oneof(
      fc.json({ maxDepth: 4 }),
      fc
        .json({ maxDepth: 2 })
        .chain((json) => fc.nat(json.length).map((cut) => json.slice(0, cut) + json.slice(cut + 1))),
      fc.string({ unit: fc.constantFrom(...'{}[]",:\\ 01.eE+-truefalsn\n\u0001é'), maxLength: 12 }),
    );
    fc.assert(
      fc.property(text, (json) => {
        const theirs = attempt(() => JSON.parse(json) as unknown);
        const ours = attempt(() => parseJsonText(json).value);
        if (ours.error instanceof Error && /twice|__proto__/.test(ours.error.message)) return;
        expect(ours.error === null, json).toBe(theirs.error === null);
        expect(ours.value, json).toEqual(theirs.value);
      }),
      { numRuns: 2_000, verbose: fc.VerbosityLevel.Verbose },
    );
  });
});

function attempt(act: () => unknown): { value?: unknown; error: unknown } {
  try {
    return { value: act(), error: null };
  } catch (error) {
    return { error };
  }
}
