/** The client of a cluster, as a user would write it. Argument: URL. */
import process from 'node:process';
import { createClient, type TaskHandle } from 'pincer';
import { charts, serve } from './child.ts';
import { mix } from './mixed.ts';
import { answersOf, PAYLOAD, type Rate, type Windowed, windowed } from './workloads.ts';

/** What may be on its way to the gateway at once while tasks are only submitted. */
const SUBMITS = 10_000;

const [, , url = ''] = process.argv;
const client = createClient({ url, charts });
await client.ready();

let under: Promise<Rate> | null = null;
let followed: Promise<{ length: number }> | null = null;

serve(
  {},
  {
    ...answersOf((onResult) => {
      void client.submit('noop', PAYLOAD).result().then(onResult);
    }),
    /** As `many`, in two steps: gives the ids of so many of the later half when they are accepted, and the rate when all are done. */
    async begin({ tasks, chosen }: { tasks: number; chosen: number }) {
      const startedAt = performance.now();
      const handles = Array.from({ length: tasks }, () => client.submit('noop', PAYLOAD));
      under = Promise.all(handles.map((each) => each.result())).then(() => ({
        perSecond: (tasks / (performance.now() - startedAt)) * 1_000,
      }));
      const step = Math.floor(tasks / 2 / chosen);
      const picked = Array.from({ length: chosen }, (_, index) => handles[tasks - 1 - index * step] as TaskHandle);
      await Promise.all(picked.map((each) => each.accepted()));
      return { ids: picked.map(({ taskId }) => taskId) };
    },
    finish: () => under,
    /** Follows them to their ends. */
    follow({ ids }: { ids: readonly string[] }) {
      const handles = ids.map((id) => client.follow(id));
      followed = Promise.all(handles.map((each) => each.result())).then(({ length }) => ({ length }));
    },
    followed: () => followed,
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
