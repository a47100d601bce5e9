/** The files that isolates start with. They are run by Node itself, so it is always the built ones, also under test. */
import { createRequire } from 'node:module';
import path from 'node:path';

const ROOT = path.dirname(createRequire(import.meta.url).resolve('pincer/package.json'));

/** What a thread or process of ours runs first. */
export const ENTRY = path.join(ROOT, 'dist/isolation/entry.js');
