/**
 * Who may import whom. Each rule is a sentence of ARCHITECTURE.md: protocol says, machines decide, transport carries,
 * actors do; doors re-export; windows see only the doors. `npm run house` enforces this file.
 */

/** The one file that imports `@xstate/graph`. */
const GRAPH_FILE = '^src/testing/paths\\.ts$';

/** The doors that windows may use; `pincer/testing` is for tests and embedders. */
const DOORS_FOR_WINDOWS = '^src/(index|client|node|handlers|channels|discovery|registry|store|inspect)\\.ts$';

const ROOMS = '^src/(protocol|machines|compile|transport|actors|handlers|channels|isolation|registry|testing)/';
const DOORS = '^src/[^/]+\\.ts$';
const WINDOWS = '^src/(cli|dashboard)/';
const NPM = ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-bundled'];
const packages = (...names) => `(^|/)node_modules/(${names.join('|')})/`;

const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    rule(
      'protocol-imports-nothing-of-ours',
      'The protocol is what everyone else agrees on; it depends on no other room.',
      { path: '^src/protocol/' },
      { path: '^(src|test|scripts|bench|examples)/', pathNot: '^src/protocol/' },
    ),
    rule(
      'protocol-is-plain-data',
      'The protocol is data and its schemas: no Node built-in, and no package but zod.',
      { path: '^src/protocol/' },
      { dependencyTypes: ['core', ...NPM], pathNot: packages('zod') },
    ),
    rule(
      'lmdb-in-one-room',
      'The database on disk is known to the store that is made of it; everyone else knows the contract.',
      { path: '^src/', pathNot: '^src/actors/store/lmdb/' },
      { path: packages('lmdb') },
    ),
    rule(
      'machines-import-protocol-and-xstate',
      'Machines decide; they know the protocol and xstate, never how frames travel or who runs them.',
      { path: '^src/machines/' },
      { path: ['^src/', '(^|/)node_modules/'], pathNot: ['^src/(machines|protocol)/', packages('xstate')] },
    ),
    rule(
      'machines-do-no-io',
      'Charts and policies are pure: no Node built-in may be imported by them.',
      { path: '^src/machines/' },
      { dependencyTypes: ['core'] },
    ),
    rule(
      'compile-knows-xstate-alone',
      'The compiler is for any chart of anybody: it knows xstate, and nothing of Pincer or of Node.',
      { path: '^src/compile/' },
      { path: ['^src/', '(^|/)node_modules/'], pathNot: ['^src/compile/', packages('xstate')] },
    ),
    rule(
      'compile-does-no-io',
      'A compiled chart is as pure as its machine: no Node built-in may be imported by the compiler.',
      { path: '^src/compile/' },
      { dependencyTypes: ['core'] },
    ),
    rule(
      'transport-knows-frames-not-tasks',
      'The transport carries frames; it knows neither charts nor the actors that run them.',
      { path: '^src/transport/' },
      { path: '^src/', pathNot: '^src/(transport|protocol)/' },
    ),
    rule(
      'only-transport-knows-the-wire',
      'ws and msgpackr are imported in the transport alone, where every limit on them is set.',
      { path: '^src/', pathNot: '^src/transport/' },
      { path: packages('ws', 'msgpackr', '@types/ws') },
    ),
    rule(
      'actors-import-rooms-only',
      'Actors may use every room, but not a door or a window: those look inward.',
      { path: '^src/actors/' },
      { path: '^src/', pathNot: '^src/(actors|machines|compile|transport|protocol)/' },
    ),
    rule(
      'handlers-know-the-task-contract',
      'A ready-made handler is what a user could have written: it knows the protocol and how tasks are defined, nothing else.',
      { path: '^src/handlers/' },
      { path: '^src/', pathNot: ['^src/(handlers|protocol)/', '^src/actors/task-definition\\.ts$'] },
    ),
    rule(
      'channels-use-the-rooms',
      'A channel is a node and what it says to a platform: it may use the rooms below it, and no room depends on it.',
      { path: '^src/channels/' },
      { path: '^src/', pathNot: '^src/(channels|actors|machines|transport|protocol)/' },
    ),
    rule(
      'platform-packages-in-their-platform-only',
      'What a platform needs is optional: its package is loaded by that platform, when it is opened.',
      { path: '^src/', pathNot: '^src/channels/telegram/' },
      { path: packages('grammy', '@grammyjs/[^/]+') },
    ),
    rule(
      'isolation-runs-handlers-elsewhere',
      'Isolation knows how a node runs a handler and how a process tree is ended, not what the node or the gateway does.',
      { path: '^src/isolation/' },
      {
        path: '^src/',
        pathNot: [
          '^src/(isolation|protocol)/',
          '^src/actors/(node/runner|task-definition|world/(system-clock|world))\\.ts$',
          '^src/handlers/process-',
        ],
      },
    ),
    rule(
      'the-registry-stands-beside-the-house',
      'The registry is a server of its own: it shares messages, addresses and ports with the house, and knows no task, node or link.',
      { path: '^src/registry/' },
      {
        path: '^src/',
        pathNot: [
          '^src/(registry|protocol)/',
          '^src/transport/(discovery/(registry-messages|source)|http-server|token-bucket|upgrade)\\.ts$',
          '^src/actors/(folders/(directory-lock|folder)|world/(real-ports|world))\\.ts$',
        ],
      },
    ),
    rule(
      'the-network-is-asked-in-one-place',
      'undici and bonjour-service speak to strangers; the files that import them set every limit on that.',
      { path: '^src/', pathNot: '^src/transport/discovery/' },
      { path: packages('undici', 'bonjour-service') },
    ),
    rule(
      'testing-is-behind-its-door',
      'What helps with tests uses every room; no room and no other door depends on it.',
      { path: '^src/', pathNot: ['^src/testing/', '^src/testing\\.ts$'] },
      { path: '^src/testing/' },
    ),
    rule(
      'xstate-in-four-rooms-only',
      'xstate’s own API is known to the machines, the compiler, the actors that run them and the tools that test them: its next major touches these rooms and no other.',
      { path: '^src/', pathNot: '^src/(machines|compile|actors|testing)/' },
      { path: packages('xstate', '@xstate/[^/]+') },
    ),
    rule(
      'graph-in-one-file',
      'Path generation accepts unbounded work silently; the one file that imports it sets the limits.',
      { pathNot: GRAPH_FILE },
      { path: [packages('@xstate/graph'), `${packages('xstate')}.*graph`] },
    ),
    rule(
      'doors-open-outwards',
      'Rooms never import a door: a door is for those outside.',
      { path: ROOMS },
      { path: DOORS },
    ),
    rule(
      'doors-lead-to-rooms',
      'A door re-exports from the rooms; it needs no package, no other door and no window.',
      { path: DOORS },
      { pathNot: ROOMS },
    ),
    rule(
      'windows-see-only-doors',
      'The command line and the dashboard use Pincer as any user would.',
      { path: WINDOWS },
      { path: '^src/', pathNot: [WINDOWS, DOORS_FOR_WINDOWS] },
    ),
    rule(
      'nobody-looks-into-windows',
      'Nothing in the house depends on the command line or the dashboard.',
      { path: '^src/', pathNot: WINDOWS },
      { path: WINDOWS },
    ),
    rule(
      'terminal-packages-in-the-command-line-only',
      'Argument parsing, colours and tables belong to the command line; embedders never load them.',
      { path: '^src/', pathNot: '^src/cli/' },
      { path: packages('commander', 'picocolors', 'cli-table3', 'cli-progress') },
    ),
    rule(
      'examples-see-only-doors',
      'An example shows what a user can write.',
      { path: '^examples/' },
      { path: '^(src/[^/]+/|test/|scripts/|bench/)' },
    ),
    rule(
      'src-stands-alone',
      'What is shipped depends on nothing that is not.',
      { path: '^src/' },
      { path: '^(test|scripts|bench|examples)/' },
    ),
    rule(
      'no-development-packages-in-src',
      'What src imports at run time must be installed with Pincer.',
      { path: '^src/' },
      { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only', 'npm-peer'] },
    ),
    rule(
      'no-undeclared-packages',
      'Every package that is imported is named in package.json.',
      {},
      // The cruiser takes the list of optional peers for a list of packages that it does not know.
      { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown', 'undetermined'], dependencyTypesNot: ['npm-peer'] },
    ),
    rule('no-unresolved-imports', 'Every import leads somewhere.', {}, { couldNotResolve: true }),
    rule('no-deprecated-built-ins', 'Node will remove them.', {}, { dependencyTypes: ['deprecated'] }),
    rule('no-cycles', 'A cycle has no bottom to start reading from.', {}, { circular: true }),
    rule(
      'no-orphans',
      'A file of src that nobody imports is dead, unless it is a door or the entry of a window.',
      { orphan: true, path: '^src/', pathNot: [DOORS, '^src/cli/main\\.ts$'] },
      {},
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // A file that imports the build names it by a path that leads nowhere before the first build.
    exclude: { path: '^(\\.\\./)*(dist|coverage|docs)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
