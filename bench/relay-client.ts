/** The client of a reference: gathers a turn’s messages into frames, as a Pincer client does. Argument: URL. */
import process from 'node:process';
import { Packr } from 'msgpackr';
import { WebSocket } from 'ws';
import { serve } from './child.ts';
import { answersOf, PAYLOAD } from './workloads.ts';

/** Of 200-byte payloads, about the 64 KiB at which Pincer begins a new frame. */
const MESSAGES_PER_FRAME = 256;

const [, , url = ''] = process.argv;
const packr = new Packr({ useRecords: false });
const socket = new WebSocket(url, { perMessageDeflate: false });
const waiting = new Map<number, () => void>();
let batch: [number, Uint8Array][] = [];
let last = 0;

const flush = (): void => {
  const entries = batch;
  batch = [];
  for (let start = 0; start < entries.length; start += MESSAGES_PER_FRAME) {
    socket.send(packr.pack(entries.slice(start, start + MESSAGES_PER_FRAME)));
  }
};

socket.on('message', (data) => {
  for (const [id] of packr.unpack(data as Buffer) as [number, Uint8Array][]) {
    const onResult = waiting.get(id);
    waiting.delete(id);
    onResult?.();
  }
});
socket.on('open', () =>
  serve(
    {},
    answersOf((onResult) => {
      last += 1;
      if (batch.length === 0) setImmediate(flush);
      batch.push([last, PAYLOAD]);
      waiting.set(last, onResult);
    }),
  ),
);
