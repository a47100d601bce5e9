/** The client of a cluster, as a user would write it. Argument: URL. */
import process from 'node:process';
import { createClient } from 'pincer';
import { charts, serve } from './child.ts';
import { mix } from './mixed.ts';
import { answersOf, PAYLOAD, type Windowed, windowed } from './workloads.ts';

/** What may be on its way to the gateway at once while tasks are only submitted. */
const SUBMITS = 10_000;

const [, , url = ''] = process.argv;
const client = createClient({ url, charts });
await client.ready();

serve(
  {},
  {
    ...answersOf((onResult) => {
      void client.submit('noop', PAYLOAD).result().then(onResult);
    }),
    /** As `windowed`, but what is measured and makes room is the acknowledgement. */
    acknowledged: ({ tasks, window }: Windowed) =>
      windowed(
        (onAccepted) => void client.submit('noop', PAYLOAD, { watch: false }).accepted().then(onAccepted),
        tasks,
        window,
      ),
    /** Submits what no node can do, and what therefore waits. */
    async wait({ tasks }: { tasks: number }) {
      for (let sent = 0; sent < tasks; sent += SUBMITS) {
        const count = Math.min(SUBMITS, tasks - sent);
        await Promise.all(
          Array.from({ length: count }, (_, index) =>
            client.submit(`nobody-can-${index % 10}`, PAYLOAD, { needs: ['nothing-has'], watch: false }).accepted(),
          ),
        );
      }
    },
    mixed: ({ tasks, seed }: { tasks: number; seed: number }) => mix(client, tasks, seed),
  },
);
