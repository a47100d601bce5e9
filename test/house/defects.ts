/**
 * Eighty-two ways in which a multi-node runtime of this kind went wrong before, each turned into what must hold instead.
 * `test` names the proof: a file and a title that contains the number (`it('#33 …')`), or says in which part of the work
 * it comes. `npm run defects` fills in what it finds in the titles; defects.test.ts compares both.
 */

export interface Defect {
  /** What holds instead. */
  readonly summary: string;
  /** `test/machines/task.test.ts › #33 …`, or `later: <part>`. */
  readonly test: string;
}

export const DEFECTS: Readonly<Record<number, Defect>> = {
  1: {
    summary: 'Real traffic speaks the one documented message format, over WebSocket',
    test: 'test/e2e/raw-peer.test.ts › registers, is given a task, reports on it, and is acknowledged once the outcome is stored (#1 #6)',
  },
  2: {
    summary: 'Acknowledge, refuse, cancel, progress, drain, error and goodbye exist and correlate',
    test: 'test/e2e/raw-peer.test.ts › is told to stop, to leave and why not, each in answer to what it concerns (#2)',
  },
  3: {
    summary: 'Versions are negotiated, every message is checked and bounded',
    test: 'test/e2e/raw-breach.test.ts › is refused with a reject before its session, each with its code (#3)',
  },
  4: {
    summary: 'A sender is who its connection proved to be, never who it claims',
    test: 'test/scenarios/liveness.test.ts › that names another in its heartbeat is put out (#4)',
  },
  5: {
    summary: 'One vocabulary for status and outcome; timed-out and cancelled are told apart',
    test: 'test/e2e/small-node.test.ts › stops what is cancelled, and what takes too long, and each is called what it is (#5)',
  },
  6: {
    summary: 'Assignments carry attempt and remaining time; priority and key travel with the submit',
    test: 'test/e2e/raw-peer.test.ts › registers, is given a task, reports on it, and is acknowledged once the outcome is stored (#1 #6)',
  },
  7: {
    summary: 'Broadcast and direct messages are delivered, in a stated order',
    test: 'test/scenarios/messages.test.ts › and to many arrives in the order in which it was sent, whatever kind each is (#7)',
  },
  8: {
    summary: 'A heartbeat that says offline takes the node offline',
    test: 'test/scenarios/liveness.test.ts › that says offline gets no new work and keeps what it has (#8)',
  },
  9: {
    summary: 'A node that registers without load is served like any other',
    test: 'test/scenarios/liveness.test.ts › that registers without load is served before its first heartbeat (#9)',
  },
  10: {
    summary: 'A frame from an unknown node is answered, and the node registers again',
    test: 'test/scenarios/lost-nodes.test.ts › adopts what runs: nothing is run again, and the client is told (#10 #55)',
  },
  11: {
    summary: 'Busy, unhealthy and draining nodes get no new work',
    test: 'test/scenarios/liveness.test.ts › whose event loop lags is busy, not dead, and online again when it does not (#11 #19)',
  },
  12: {
    summary: 'Heartbeats update slots and capabilities; slots come from configuration',
    test: 'test/scenarios/liveness.test.ts › can change its slots and handlers with a heartbeat, and the work follows (#12)',
  },
  13: {
    summary: 'Liveness changes by events of its own, never by being read',
    test: 'test/scenarios/scheduling.test.ts › #13 is placed again after offlineAfterMs when the node fell silent, though nobody reads its state',
  },
  14: {
    summary: 'A node that goes away has its tasks placed elsewhere at once',
    test: 'test/scenarios/lost-nodes.test.ts › and that was killed is lost when the window has passed; its task runs elsewhere (#14 #29)',
  },
  15: {
    summary: 'Of two processes with one id the newer wins and the older is told',
    test: 'test/e2e/cli.test.ts › #15 ends by itself when another process takes its name',
  },
  16: {
    summary: 'A returning node lists its attempts and is told which to drop',
    test: 'test/scenarios/lost-nodes.test.ts › and returns too late is told to drop what was given to others (#16)',
  },
  17: {
    summary: 'Closed, silent and lagging links are told apart; suspicion comes before loss',
    test: 'test/scenarios/lost-nodes.test.ts › gets no new work, then is lost, and is online again when it is heard of (#17)',
  },
  18: {
    summary: 'A step of the wall clock changes no decision',
    test: 'test/scenarios/schedules.test.ts › #18 changes nothing else: nodes stay online, and every wait is as long as it was',
  },
  19: {
    summary: 'A node busy computing is busy, not dead',
    test: 'test/scenarios/liveness.test.ts › whose event loop lags is busy, not dead, and online again when it does not (#11 #19)',
  },
  20: {
    summary: 'A node without free slots is never chosen, whatever its numbers',
    test: 'test/scenarios/liveness.test.ts › without slots is never given work (#20)',
  },
  21: {
    summary: 'Heartbeats share one link with everything else',
    test: 'test/e2e/raw-peer.test.ts › heartbeats, and is answered with an acknowledgement as a sign of life, all over its one link (#21)',
  },
  22: {
    summary: 'A static node list is loaded, checked against a schema and reloaded',
    test: 'test/scenarios/granting.test.ts › #22 grants each node what it claims and what is declared for it, and no more',
  },
  23: {
    summary: 'A discovered node counts only after it has proved to be alive and allowed',
    test: 'test/transport/discovery/mdns.test.ts › is bounded whatever five thousand forged adverts say (#23, #24)',
  },
  24: {
    summary: 'Missing or odd TXT fields are refused without a crash; nobody discovers itself',
    test: 'test/transport/discovery/mdns-adverts.test.ts › may leave out capabilities and version, and write its keys as it likes (#24)',
  },
  25: {
    summary: 'Addresses are chosen and checked; TXT stays within its size; goodbye is said',
    test: 'test/transport/discovery/mdns-adverts.test.ts › name one address, and no other of this machine (#25)',
  },
  26: {
    summary: 'A failing discovery source never takes the gateway down',
    test: 'test/conformance/discovery.ts › is degraded with a reason when it cannot see (#26), keeps what it knows, and recovers',
  },
  27: {
    summary: 'The cloud registry is asked with timeouts, retries, leases and validation',
    test: 'test/transport/discovery/registry-client.test.ts › registers, keeps its lease, registers again when it was lost, and takes leave (#27)',
  },
  28: {
    summary: 'A task taken from the queue is marked as started',
    test: 'test/scenarios/scheduling.test.ts › #28 is marked as started once its node says so, and not before',
  },
  29: {
    summary: 'A crash between assignment and start loses no task',
    test: 'test/scenarios/lost-nodes.test.ts › and that was killed is lost when the window has passed; its task runs elsewhere (#14 #29)',
  },
  30: {
    summary: 'An assignment that fails puts its task back into the queue',
    test: 'test/scenarios/scheduling.test.ts › #30 is back in the queue when its node does not take it, at no cost, and runs elsewhere',
  },
  31: {
    summary: 'One node runs several tasks, and each of them completes',
    test: 'test/scenarios/journey.test.ts › runs beside others on one node, and each completes (#31)',
  },
  32: {
    summary: 'A result can be read and awaited after its task is done',
    test: 'test/scenarios/journey.test.ts › goes from client to node and back, and its result can be asked for afterwards (#32)',
  },
  33: {
    summary: 'A timed-out attempt is told to stop, and its late result counts for nothing',
    test: 'test/e2e/cancel.test.ts › #33 is cancelled from another process: its process tree is gone, and its slot is free after',
  },
  34: {
    summary: 'A result counts only from the attempt that holds the task',
    test: 'test/scenarios/lost-nodes.test.ts › that is late, said twice, or from somebody else changes nothing and is counted (#34 #35 #45)',
  },
  35: {
    summary: 'A late failure of an old attempt changes nothing',
    test: 'test/machines/task.test.ts › changes nothing while the task waits for its next attempt (#35)',
  },
  36: {
    summary: 'A retried task keeps its priority and has a last attempt',
    test: 'test/scenarios/lost-nodes.test.ts › is failed after so many crashes, not run for ever (#36)',
  },
  37: {
    summary: 'A failed attempt is retried when its failure is retryable',
    test: 'test/scenarios/journey.test.ts › is followed by another on another node where there is one (#37)',
  },
  38: {
    summary: 'Placing stays fast before a long line of tasks that nobody can run',
    test: 'test/scenarios/journey.test.ts › lets nobody wait behind what no node can do (#38)',
  },
  39: {
    summary: 'The queue is bounded; beyond it submits are refused with a time to come back',
    test: 'test/scenarios/journey.test.ts › beyond what may wait is refused with a time to come back (#39)',
  },
  40: {
    summary: 'Low priorities age, so none starves; priorities out of range are refused',
    test: 'test/scenarios/scheduling.test.ts › #40 lets low priorities age: the last runs although first ones keep coming',
  },
  41: {
    summary: 'A task goes only to nodes that have a handler for its type',
    test: 'test/scenarios/journey.test.ts › gives agent work to agents that have a handler for it, and to nobody else (#41 #42)',
  },
  42: {
    summary: 'Agent work goes to agents, channel work to channels',
    test: 'test/scenarios/granting.test.ts › #42 never gives a channel agent work, whatever it claims',
  },
  43: {
    summary: 'A task that nobody can run ends when its deadline passes',
    test: 'test/actors/node.test.ts › passes without any node: what is never placed ends when its time is over (#43 #49)',
  },
  44: {
    summary: 'Delay, idempotency, cancel, progress, drain and retention are there',
    test: 'test/scenarios/scheduling.test.ts › #44 is there: delay, key, dependencies, progress, cancel, pause, dead letters, retention, drain',
  },
  45: {
    summary: 'A result from a node that does not hold the task is refused; errors keep their code',
    test: 'test/scenarios/lost-nodes.test.ts › that is late, said twice, or from somebody else changes nothing and is counted (#34 #35 #45)',
  },
  46: {
    summary: 'A task is placed in the turn in which it and a slot are both there',
    test: 'test/scenarios/journey.test.ts › waits without a tick: it is placed at the moment it and a slot are both there (#46)',
  },
  47: {
    summary: 'Passes never overlap; a slot is taken once',
    test: 'test/machines/scheduler.test.ts › never has two claims under way: what changes meanwhile is asked for afterwards, once (#47)',
  },
  48: {
    summary: 'A slot is reserved at the moment of placement, not with the next heartbeat',
    test: 'test/scenarios/liveness.test.ts › that lies about its load is given no more than its slots (#47 #48)',
  },
  49: {
    summary: 'Deadlines pass even when there are no nodes',
    test: 'test/actors/node.test.ts › passes without any node: what is never placed ends when its time is over (#43 #49)',
  },
  50: {
    summary: 'Every strategy, retry and discovery source can be switched on by an option',
    test: 'test/scenarios/scheduling.test.ts › #50 #76 is chosen by an option, for all types or for one, an app’s own among them; one there is not is refused',
  },
  51: {
    summary: 'Versatile nodes stay free for what only they can do',
    test: 'test/machines/policies/placement.test.ts › #51 keeps versatile nodes free where a plain one will do',
  },
  52: {
    summary: 'One hung node delays nobody else',
    test: 'test/actors/node.test.ts › that hangs delays nobody else (#52)',
  },
  53: {
    summary: 'Nodes dial the gateway; it never dials an address that a peer supplied',
    test: 'test/transport/discovery/memory.test.ts › is named, and never dialled: an address that somebody supplied leads nowhere (#53)',
  },
  54: {
    summary: 'An assignment whose answer was lost is replayed, not run twice',
    test: 'test/scenarios/lost-nodes.test.ts › resumes within the window: its attempt goes on and what was on its way arrives once (#54)',
  },
  55: {
    summary: 'A gateway restarts without losing an acknowledged task',
    test: 'test/scenarios/lost-nodes.test.ts › adopts what runs: nothing is run again, and the client is told (#10 #55)',
  },
  56: {
    summary: 'Stopping drains: nothing new is placed, what runs may finish',
    test: 'test/scenarios/ends.test.ts › that stops says so to its peers, and what ran there costs nothing (#56)',
  },
  57: {
    summary: 'A node outlives a gateway that cannot be reached',
    test: 'test/scenarios/ends.test.ts › outlives a gateway that cannot be reached, and delivers then (#57 #58 #59)',
  },
  58: {
    summary: 'A node outlives a report that cannot be delivered',
    test: 'test/scenarios/ends.test.ts › outlives a gateway that cannot be reached, and delivers then (#57 #58 #59)',
  },
  59: {
    summary: 'A success whose report fails once is still reported as a success',
    test: 'test/scenarios/ends.test.ts › outlives a gateway that cannot be reached, and delivers then (#57 #58 #59)',
  },
  60: {
    summary: 'Results stay in the outbox until they are acknowledged',
    test: 'test/scenarios/store-failures.test.ts › acknowledges a result only when it has it, and its task settles once (#60)',
  },
  61: {
    summary: 'Timeouts of any length are kept exactly; none fires at once',
    test: 'test/actors/world/deadlines.test.ts › of years are kept: nothing overflows into firing at once (#61)',
  },
  62: {
    summary: 'A timer is cancelled when what it waits for has happened',
    test: 'test/actors/world/deadlines.test.ts › leave no timer when they stop, and none can be set after (#62)',
  },
  63: {
    summary: 'A slot stays taken until the work has really ended',
    test: 'test/machines/attempt.test.ts › never frees a slot under a handler that runs (#63)',
  },
  64: {
    summary: 'A node accepts work only once it is ready for it',
    test: 'test/actors/node.test.ts › is given work only once it is welcome, and has its handlers by then (#64)',
  },
  65: {
    summary: 'A node refuses what it has no slot, no handler or no right to run',
    test: 'test/actors/node.test.ts › takes no more than its slots, whatever it is sent (#65)',
  },
  66: {
    summary: 'A node drains, unregisters and stops, and leaves no timer behind',
    test: 'test/scenarios/ends.test.ts › leaves no timer and no socket, and the process ends by itself: %s (#62 #66)',
  },
  67: {
    summary: 'A handler that crashes or blocks does not take the heartbeat with it',
    test: 'test/e2e/isolation.test.ts › #67 loses no more than the attempts of handlers that exit, fill their memory or reject unheard',
  },
  68: {
    summary: 'Every request of a node is answered, and refusals are acted upon',
    test: 'test/actors/node.test.ts › has every request answered, and acts upon what it is refused (#68)',
  },
  69: {
    summary: 'Payloads are checked before a handler sees them',
    test: 'test/actors/node.test.ts › checks a payload before its handler sees it, and a result before it is sent (#69)',
  },
  70: {
    summary: 'The public types compile, and say what is really there',
    test: 'test/types/task-definition.test-d.ts › takes what the schema takes and gives what it makes (#70)',
  },
  71: {
    summary: 'Consistent hashing moves only the keys of the node that came or went',
    test: 'test/machines/policies/placement.test.ts › #71 moves at most a sixth and 3 % of the keys when a sixth node comes',
  },
  72: {
    summary: 'Picks between two heartbeats spread over the nodes',
    test: 'test/machines/policies/placement.test.ts › #72 does not send all of one heartbeat window to the same node',
  },
  73: {
    summary: 'A strategy leaves its input alone and breaks ties without favour',
    test: 'test/conformance/placement.ts › #73 leaves the list as it was',
  },
  74: {
    summary: 'Weights are free slots; a full node is never picked; picks follow the seed',
    test: 'test/machines/policies/placement.test.ts › #74 spreads by free slots, within one percent, and smoothly',
  },
  75: {
    summary: 'Round-robin stays even when the set of nodes changes',
    test: 'test/machines/policies/placement.test.ts › #75 gives each of three nodes a third',
  },
  76: {
    summary: 'Only nodes that may take work are candidates; an unknown strategy is refused',
    test: 'test/machines/policies/placement.test.ts › #76 names what there is when asked for what there is not',
  },
  77: {
    summary: 'A cluster of one node retries, and the real error is kept',
    test: 'test/scenarios/journey.test.ts › is followed by another on the same node if it is the only one, and the last error is told (#77)',
  },
  78: {
    summary: 'A task that poisons every node ends as failed and marks no node unhealthy',
    test: 'test/scenarios/journey.test.ts › that cannot succeed ends the task at once, and its node is as healthy as before (#78)',
  },
  79: {
    summary: 'Waits grow with jitter and a cap, end at the deadline and survive a crash',
    test: 'test/scenarios/retries.test.ts › #79 waits ever longer up to a cap, spread at random, until its deadline',
  },
  80: {
    summary: 'Without a token nothing is served beyond loopback; rates are limited',
    test: 'test/e2e/cli.test.ts › #80 is asked of nodes and clients, and the refusal says what to do',
  },
  81: {
    summary: 'Metrics, health and structured logs are there; nothing prints to the console',
    test: 'test/scenarios/ends.test.ts › leaves nothing scheduled on the clock of a cluster, and prints nothing (#81)',
  },
  82: {
    summary: 'Time, randomness and faults are controlled by the test',
    test: 'test/actors/node.test.ts › runs the same way again from the same seed (#82)',
  },
};
