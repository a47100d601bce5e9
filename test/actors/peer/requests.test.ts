import { describe, expect, it } from 'vitest';
import type { Connection } from '../../../src/actors/peer/connection.ts';
import { Requests } from '../../../src/actors/peer/requests.ts';
import { PincerError } from '../../../src/protocol/failure.ts';
import type { Message } from '../../../src/protocol/message.ts';

/** A connection that numbers what it is given, as far as it has a session. */
function aConnection() {
  const said: string[] = [];
  const connection = {
    ...{ isUp: true, lastError: null, welcome: null, isFull: false, hasSession: true },
    send(_type: string, payload: { readonly nodeId: string }) {
      if (!connection.hasSession) return 0;
      said.push(payload.nodeId);
      return said.length;
    },
    ...{ whenRoom: async () => {}, moveOn: () => false, stop: async () => {} },
  };
  return { said, connection, requests: new Requests(() => connection as Connection, { unacknowledgedMax: 4 }) };
}

describe('requests', () => {
  it('are under way in no larger number than a session can say again, and the others follow in order', () => {
    const { said, connection, requests } = aConnection();
    const ended: string[] = [];
    const ask = (nodeId: string): (() => void) =>
      requests.ask(
        'query',
        { what: 'node', nodeId },
        () => ended.push(nodeId),
        (error) => ended.push(`${nodeId} ${error.code}`),
      );
    const answer = (re: number): boolean => requests.answer({ type: 'answer', re, payload: {} } as Message);
    for (const nodeId of ['a', 'b', 'c', 'd', 'e']) ask(nodeId);
    expect(said).toEqual(['a', 'b']);
    answer(2);
    expect([said, ended]).toEqual([['a', 'b', 'c'], ['b']]);
    connection.hasSession = false;
    ask('f');
    // A session that knows nothing of the one before: its numbers begin anew.
    said.length = 0;
    connection.hasSession = true;
    requests.askAgain();
    expect(said).toEqual(['a', 'c']);
    answer(1);
    answer(2);
    expect(said).toEqual(['a', 'c', 'd', 'e']);
    requests.end(new PincerError('STOPPED', 'over'));
    expect(ended).toEqual(['b', 'a', 'c', 'd STOPPED', 'e STOPPED', 'f STOPPED']);
  });

  it('that are taken back are not asked again, wherever they wait', () => {
    const { said, connection, requests } = aConnection();
    const ask = (nodeId: string): (() => void) =>
      requests.ask(
        'query',
        { what: 'node', nodeId },
        () => {},
        () => {},
      );
    const [sent, , waiting] = ['a', 'b', 'c', 'd'].map(ask);
    connection.hasSession = false;
    sent?.();
    waiting?.();
    said.length = 0;
    connection.hasSession = true;
    requests.askAgain();
    expect(said).toEqual(['b', 'd']);
  });
});
