/** The inspector’s door: the charts themselves. */
export { charts } from './machines/index.ts';
