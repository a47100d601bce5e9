/** A module for `pincer node ./handlers.js`: whatever it exports that `defineHandler` made is registered. */
import { defineHandler, defineTask } from 'pincer';
import { z } from 'zod';

export const reverse = defineHandler(
  defineTask('reverse', { input: z.object({ text: z.string() }), output: z.string() }),
  ({ input }) => [...input.text].reverse().join(''),
);

export const sum = defineHandler(defineTask('sum', { input: z.array(z.number()), output: z.number() }), ({ input }) =>
  input.reduce((total, term) => total + term, 0),
);
