/**
 * nodes.json: the nodes that are expected, and what each may do. Read whole and checked; an error names line, column and
 * field, as an editor shows them.
 */
import { z } from 'zod';
import { PincerError } from '../../protocol/failure.ts';
import { Capabilities, Identifier, plainText } from '../../protocol/identifier.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { MaxTasks } from '../../protocol/node.ts';
import { Address } from './address.ts';
import { JsonTextError, type Place, parseJsonText } from './json-text.ts';
import { CandidateKind } from './source.ts';

const NodeEntry = z.strictObject({
  id: Identifier,
  type: CandidateKind,
  address: Address,
  capabilities: Capabilities,
  maxTasks: MaxTasks.default(defaultLimits.maxTasks),
});

const NodesFile = z.strictObject({ nodes: z.array(NodeEntry).max(defaultLimits.nodesMax) });

/** As above, of a program that says what a file would. */
const NodeList = z.array(NodeEntry.omit({ id: true }).extend({ nodeId: Identifier })).max(defaultLimits.nodesMax);

/** A node that nodes.json declares: what it may do at most. */
export interface ExpectedNode {
  readonly nodeId: string;
  readonly type: CandidateKind;
  readonly address: string;
  readonly capabilities: readonly string[];
  readonly maxTasks: number;
}

/**
 * The nodes that a nodes.json declares, in its order: `{ "nodes": [{ "id", "type", "address", "capabilities", "maxTasks" }] }`.
 * `file` is how messages name it.
 * @throws PincerError `NODES_FILE_INVALID`, naming line, column and field; `OPTION_INVALID` for what is no text
 */
export function parseNodesFile(text: string, file = 'nodes.json'): readonly ExpectedNode[] {
  if (typeof text !== 'string') throw new PincerError('OPTION_INVALID', 'parseNodesFile: takes the text of a file');
  const refuse = (place: Place, message: string): never => {
    throw new PincerError('NODES_FILE_INVALID', `${file}:${place.line}:${place.column}: ${plainText(message, 300)}`);
  };
  if (text.length > defaultLimits.nodesFileBytesMax) {
    refuse({ line: 1, column: 1 }, `the file is larger than ${defaultLimits.nodesFileBytesMax} bytes`);
  }
  const { value, placeOf } = read(text, refuse);
  const checked = NodesFile.safeParse(value);
  if (!checked.success) {
    // The first in the text, so that an editor jumps forwards through them.
    const faults = checked.error.issues.map((issue) => {
      // A field that does not belong is where it stands, not where its parent does.
      const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : issue.path;
      return { path, message: issue.message, place: placeOf(path) };
    });
    faults.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
    for (const { path, message, place } of faults) refuse(place, `${fieldOf(path)}: ${message}`);
    throw new PincerError('NODES_FILE_INVALID', `${file}: not a list of nodes`);
  }
  const lines = new Map<string, number>();
  return checked.data.nodes.map(({ id, ...rest }, index) => {
    const place = placeOf(['nodes', index, 'id']);
    const before = lines.get(id);
    if (before !== undefined) refuse(place, `nodes[${index}].id: ${id} is declared on line ${before} already`);
    lines.set(id, place.line);
    return { nodeId: id, ...rest };
  });
}

/**
 * The same of a list that a program gives, which no compiler need have seen.
 * @throws PincerError `OPTION_INVALID`, naming the field
 */
export function checkNodes(nodes: unknown): readonly ExpectedNode[] {
  const refuse = (path: readonly PropertyKey[], message: string): never => {
    throw new PincerError('OPTION_INVALID', `${fieldOf(['nodes', ...path])}: ${plainText(message, 300)}`);
  };
  const checked = NodeList.safeParse(nodes);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    return refuse(issue?.path ?? [], issue?.message ?? 'not a list of nodes');
  }
  const seen = new Set<string>();
  checked.data.forEach(({ nodeId }, index) => {
    if (seen.has(nodeId)) refuse([index, 'nodeId'], `${nodeId} is declared already`);
    seen.add(nodeId);
  });
  return checked.data;
}

function read(text: string, refuse: (place: Place, message: string) => never) {
  try {
    return parseJsonText(text);
  } catch (error) {
    if (error instanceof JsonTextError) return refuse(error.place, error.message);
    throw error;
  }
}

/** `nodes[0].capabilities[2]`. */
function fieldOf(path: readonly PropertyKey[]): string {
  const field = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return field === '' ? 'the file' : field.replace(/^\./, '');
}
