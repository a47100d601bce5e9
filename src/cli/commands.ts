/** Each command by its name, in the order of the help: what it takes, what it does, and where it is. */
import { Command } from 'commander';

interface Entry {
  /** The arguments behind its name, as the help shows them; nothing for one that has commands of its own. */
  readonly takes?: string;
  readonly says: string;
  load(): Promise<Command>;
}

const ENTRIES: Readonly<Record<string, Entry>> = {
  demo: {
    says: 'see it work: a gateway (in memory) and three nodes on this machine, one killed half-way',
    load: async () => (await import('./demo.ts')).demoCommand(),
  },
  gateway: {
    says: 'run a gateway: nodes and clients dial it',
    load: async () => (await import('./gateway.ts')).gatewayCommand(),
  },
  node: {
    takes: '[modules...]',
    says: 'run a node: joins a gateway and runs tasks',
    load: async () => (await import('./node.ts')).nodeCommand(),
  },
  run: {
    takes: '<type> [payload]',
    says: 'run one task and print its result',
    load: async () => (await import('./run.ts')).runCommand(),
  },
  submit: {
    takes: '<file>',
    says: 'run a list of tasks, one JSON object a line: {"type": …, "payload": …, "priority": …}',
    load: async () => (await import('./submit.ts')).submitCommand(),
  },
  tasks: {
    says: 'look at tasks; cancel and retry them',
    load: async () => (await import('./tasks.ts')).tasksCommand(),
  },
  nodes: {
    says: 'look at nodes; drain, resume and evict them',
    load: async () => (await import('./nodes.ts')).nodesCommand(),
  },
  schedules: {
    says: 'submit tasks again and again',
    load: async () => (await import('./schedules.ts')).schedulesCommand(),
  },
  types: {
    says: 'pause, drain and resume task types',
    load: async () => (await import('./types.ts')).typesCommand(),
  },
  why: {
    takes: '<task>',
    says: 'say why a task is where it is, and what each node has to do with it',
    load: async () => (await import('./tasks.ts')).whyCommand(),
  },
  story: {
    takes: '<task>',
    says: 'tell what happened to a task, in order; with --at, where it was then',
    load: async () => (await import('./story.ts')).storyCommand(),
  },
  doctor: {
    says: 'look for what is wrong with a cluster, and say what to do',
    load: async () => (await import('./doctor.ts')).doctorCommand(),
  },
  channel: {
    says: 'connect a platform: messages become tasks, and their replies go out',
    load: async () => (await import('./channel.ts')).channelCommand(),
  },
  store: {
    says: 'check, compact or export the tasks that a gateway keeps on disk',
    load: async () => (await import('./store.ts')).storeCommand(),
  },
  registry: {
    says: 'run a registry: nodes and gateways find each other there',
    load: async () => (await import('./registry.ts')).registryCommand(),
  },
};

/**
 * The commands of a command line. Of the one that it names all there is, since loading them is most of the time that a
 * command takes; of all others what a list of them shows.
 */
export async function commandsOf(asked: string | undefined): Promise<Command[]> {
  return Promise.all(
    Object.entries(ENTRIES).map(async ([name, { takes, says, load }]) => {
      if (name === asked) return (await load()).description(says);
      const listed = new Command(name).description(says);
      return takes === undefined ? listed : listed.arguments(takes);
    }),
  );
}

/** All that there is of every command. */
export async function allCommands(): Promise<Command[]> {
  return Promise.all(Object.values(ENTRIES).map(async ({ says, load }) => (await load()).description(says)));
}
