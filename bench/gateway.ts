/** A gateway for the bench, with limits that let a million tasks wait. */
import { createGateway } from 'pincer';
import { charts, serve } from './child.ts';

const gateway = await createGateway({
  charts,
  listen: '127.0.0.1:0',
  limits: { waitingTasksMax: 1_200_000 },
});
serve({ url: gateway.url });
