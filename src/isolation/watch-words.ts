/** What the watch of a process isolate and its node agree on. */

/** The file descriptor of their pipe, beside stdin, stdout, stderr and the channel of messages. */
export const WATCH_DESCRIPTOR = 4;

/** The one byte that the watch ever sends: the process is about to be ended for the memory it holds. */
export const MEMORY_EXCEEDED = 77;
