/** How the tests run charts: compiled, or as PINCER_CHARTS says (`npm run test:interpreted`). */
import process from 'node:process';
import { type Charts, chartsOf } from '../../src/actors/charts/charts.ts';

export const testCharts: Charts = chartsOf(process.env['PINCER_CHARTS'] || undefined);
