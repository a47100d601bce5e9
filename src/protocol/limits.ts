/**
 * Every limit and default of Pincer, in one place: its value, its unit, why it is what it is, and what happens when it
 * is reached. An option of the same name overrides a limit where a docstring says so; nothing else does.
 */

interface Limit {
  readonly value: number;
  readonly unit: 'ms' | 'bytes' | 'count' | 'per second' | 'ratio';
  readonly why: string;
  readonly reached: string;
}

/** Every limit: its value, its unit, why it is what it is, and what happens when it is reached. */
export const LIMITS = {
  // The wire
  frameBytesMax: limit(
    1_048_576,
    'bytes',
    'One frame must fit in memory many times over.',
    'The link is closed with FRAME_TOO_LARGE.',
  ),
  frameBytesTarget: limit(
    65_536,
    'bytes',
    'Messages of one turn share a frame until it is this large.',
    'The next message opens a new frame.',
  ),
  payloadBytesMax: limit(
    786_432,
    'bytes',
    'An application payload or result must fit in one frame.',
    'PAYLOAD_TOO_LARGE or RESULT_TOO_LARGE, before anything is sent.',
  ),
  frameDepthMax: limit(
    32,
    'count',
    'Nesting of arrays and maps in a frame or payload.',
    'The link is closed with FRAME_INVALID; a payload fails with PAYLOAD_INVALID.',
  ),
  frameItemsMax: limit(
    65_536,
    'count',
    'Values in one frame or payload, counted before any is made.',
    'As frameDepthMax.',
  ),
  keyBytesMax: limit(128, 'bytes', 'A map key in a frame or payload.', 'As frameDepthMax.'),
  messagesPerFrameMax: limit(4_096, 'count', 'Messages in one frame.', 'As frameDepthMax.'),
  framesPerSecondMax: limit(
    20_000,
    'per second',
    'One peer must not starve the others of the event loop.',
    'The link is not read until the bucket has refilled.',
  ),
  bytesPerSecondMax: limit(268_435_456, 'per second', 'As framesPerSecondMax, for bytes.', 'As framesPerSecondMax.'),
  sendBytesHigh: limit(
    1_048_576,
    'bytes',
    'Unsent bytes of one link above which new work is held back.',
    'No assignment goes to that node; reliable messages wait in their session, progress is conflated, until sendBytesLow.',
  ),
  sendBytesLow: limit(262_144, 'bytes', 'Unsent bytes below which a held link takes work again.', 'Work flows again.'),
  sendBytesMax: limit(
    16_777_216,
    'bytes',
    'Unsent bytes of one link at which its peer counts as not reading.',
    'The link is cut with SLOW_CONSUMER; its session may resume.',
  ),
  sendStallMs: limit(
    10_000,
    'ms',
    'How long unsent bytes may stay above sendBytesHigh without shrinking.',
    'As sendBytesMax.',
  ),
  unacknowledgedMax: limit(
    65_536,
    'count',
    'Messages kept for replay until the peer acknowledges them.',
    'The link is cut with SLOW_CONSUMER and the session starts anew.',
  ),
  // Above what the store keeps of settled tasks: an outcome that waits there may be forgotten, which is better than a gateway
  // without memory, and worse than anything else.
  unacknowledgedBytesMax: limit(
    536_870_912,
    'bytes',
    'Payloads, results and bodies that a gateway keeps for one peer until it acknowledges them; one more may be begun.',
    'Outcomes and answers for it wait, as long as the store has them, until half of that is acknowledged; reliable messages to it are refused with SLOW_CONSUMER, and a node is given no work.',
  ),
  acknowledgeMs: limit(
    10,
    'ms',
    'How long an acknowledgement may wait for a message to ride along with; one for a message of another peer never does. 0: it goes at the end of the turn.',
    'It goes in a frame of its own.',
  ),
  acknowledgeMax: limit(
    1_024,
    'count',
    'Messages whose acknowledgement waits for a message to ride along with.',
    'It goes at the end of the turn.',
  ),
  acceptMs: limit(
    2,
    'ms',
    'How long the acceptance of a task that its client watches may wait for a message to ride along with, such as its outcome. 0: it goes at the end of the turn; so do the 64 after one that waited in vain.',
    'It goes in a frame of its own.',
  ),
  unstoredMax: limit(
    64,
    'count',
    'Messages of one turn of a gateway’s event loop that wait for its end, to be stored together.',
    'They are stored at once.',
  ),
  handshakeMs: limit(
    10_000,
    'ms',
    'From an open socket to a valid register.',
    'The link is closed with HANDSHAKE_TIMEOUT.',
  ),
  linksMax: limit(10_000, 'count', 'Open links of one gateway.', 'The upgrade is answered 503 with Retry-After.'),
  closeMs: limit(2_000, 'ms', 'How long a closing link waits for its peer to answer.', 'The connection is cut.'),
  frameFragmentsMax: limit(
    16,
    'count',
    'WebSocket fragments of one frame; Pincer never fragments, other libraries may.',
    'The link is closed with 1008.',
  ),
  frameChunksMax: limit(
    4_096,
    'count',
    'Network packets one frame may arrive in: 1 MiB in packets of 1 400 bytes takes 750.',
    'The link is closed with 1008.',
  ),
  httpHeadersMs: limit(5_000, 'ms', 'From an open connection to the end of its HTTP headers.', 'It is answered 408.'),
  httpRequestMs: limit(10_000, 'ms', 'From an open connection to the end of its HTTP request.', 'It is answered 408.'),
  httpStallMs: limit(
    60_000,
    'ms',
    'How long a reader of an HTTP answer of a channel or registry may take nothing of it, beyond what a request is held.',
    'The connection is cut; a reply that was on its way is fetched at its address.',
  ),
  httpHeaderBytesMax: limit(8_192, 'bytes', 'All HTTP headers of one request.', 'It is answered 431.'),

  // Liveness
  heartbeatMs: limit(
    10_000,
    'ms',
    'A node reports its load this often, ± 10 %. Any frame counts as a sign of life.',
    '–',
  ),
  suspectAfterMs: limit(
    15_000,
    'ms',
    'Silence after which a node gets no new work.',
    'The node is unhealthy; it is online again with its next frame.',
  ),
  offlineAfterMs: limit(
    30_000,
    'ms',
    'Silence after which a node counts as lost.',
    'Its attempts are lost and placed elsewhere with the next attempt number.',
  ),
  removeAfterMs: limit(60_000, 'ms', 'Absence after which a node is forgotten.', 'The node disappears from the lists.'),
  resumeWindowMs: limit(
    3_000,
    'ms',
    'How long a session waits for its node after a link closed.',
    'The session is closed and the attempts of its node are lost.',
  ),
  lagBusyMs: limit(
    1_000,
    'ms',
    'Event-loop lag at which a node reports itself busy.',
    'The node is busy: no new work until a heartbeat reports less.',
  ),

  // Reconnecting
  reconnectMinMs: limit(50, 'ms', 'First wait before dialling again, with full jitter.', '–'),
  reconnectMaxMs: limit(
    5_000,
    'ms',
    'Longest wait before dialling again. After a link that has held for so long, waits begin anew.',
    '–',
  ),
  answerMs: limit(
    1_000,
    'ms',
    'How long one of several gateways may take to open a link, twice as long in each round, up to handshakeMs.',
    'The next one is dialled.',
  ),

  questionMs: limit(
    300_000,
    'ms',
    'How long what a client or node asks of its gateway waits for the answer: all but submits, which wait for a gateway as long as it takes.',
    'It rejects, with GATEWAY_UNREACHABLE or, if there is a gateway, with TIMED_OUT.',
  ),

  // Tasks
  taskTimeoutMs: limit(
    300_000,
    'ms',
    'How long one attempt may run when its task does not say.',
    'The attempt is told to stop and counts as TASK_TIMED_OUT.',
  ),
  taskTimeoutMsMax: limit(
    2_592_000_000,
    'ms',
    'The longest timeout a task may ask for (30 days).',
    'The submit is refused: with OPTION_INVALID by the client’s own check, with MESSAGE_INVALID by the gateway’s.',
  ),
  cancelGraceMs: limit(
    5_000,
    'ms',
    'How long an attempt that was told to stop may take to end.',
    'Its task settles without it; the slot stays taken until the work has really ended.',
  ),
  timeoutSlackMs: limit(
    2_000,
    'ms',
    'How much later than the node the gateway gives up on an attempt.',
    'The gateway tells the node to stop the attempt.',
  ),
  assignMs: limit(
    10_000,
    'ms',
    'How long an assignment may stay unanswered by its node.',
    'The assignment is withdrawn and the task placed elsewhere, at no cost to its attempts.',
  ),
  attemptsDefault: limit(
    3,
    'count',
    'How many failures a task may have before it is failed.',
    'The task is failed with its last error.',
  ),
  attemptsMax: limit(
    100,
    'count',
    'The most attempts a task may ask for.',
    'The submit is refused: with OPTION_INVALID by the client’s own check, with MESSAGE_INVALID by the gateway’s.',
  ),
  crashesMax: limit(
    5,
    'count',
    'How many nodes a task may lose under itself, alone or with their gateway: what kills all it runs on is not run for ever.',
    'The task is failed with NODE_LOST.',
  ),
  retryBaseMs: limit(
    1_000,
    'ms',
    'Wait before the second attempt, doubled for each further one, with full jitter.',
    '–',
  ),
  retryMaxMs: limit(60_000, 'ms', 'Longest wait between two attempts.', '–'),
  undeliveredRetryMs: limit(100, 'ms', 'Wait before a task is placed again that never reached its node.', '–'),
  agingMs: limit(
    60_000,
    'ms',
    'What one level of priority is worth, as waiting time: priority 10 overtakes a newer priority 1 after nine times this.',
    '–',
  ),
  fairSpacingMs: limit(
    10_000,
    'ms',
    'How far apart waiting tasks of one fairKey rank; about as long as tasks take, so that keys take turns.',
    '–',
  ),
  fairAheadMsMax: limit(
    3_600_000,
    'ms',
    'How far behind its own time a fairKey may rank a task: the price of a long line of one’s own has a bound.',
    'Further tasks of the key rank there, in order of submit.',
  ),
  dependenciesMax: limit(
    256,
    'count',
    'Tasks that one task may depend on.',
    'The submit is refused: with OPTION_INVALID by the client’s own check, with MESSAGE_INVALID by the gateway’s.',
  ),
  ordersMax: limit(
    10_000,
    'count',
    'Standing orders of one store: paused task types and drained nodes.',
    'A further one is refused with RATE_EXCEEDED.',
  ),
  schedulesMax: limit(10_000, 'count', 'Schedules of one store.', 'A further one is refused with RATE_EXCEEDED.'),
  schedulePayloadBytesMax: limit(
    16_384,
    'bytes',
    'The payload that one schedule keeps; each gateway has all of them in memory.',
    'The schedule is refused with PAYLOAD_TOO_LARGE.',
  ),
  scheduleTickMs: limit(1_000, 'ms', 'How often a gateway looks which schedule is due; no run is later by more.', '–'),
  scheduleRefreshMs: limit(
    30_000,
    'ms',
    'How often a gateway reads the schedules again, should it have missed that another changed them.',
    '–',
  ),
  classesMax: limit(
    10_000,
    'count',
    'Distinct requirement classes (type and needs) with waiting tasks.',
    'The submit is refused with QUEUE_FULL.',
  ),
  waitingTasksMax: limit(
    1_000_000,
    'count',
    'Waiting tasks of one store.',
    'The submit is refused with QUEUE_FULL, which says when to come back.',
  ),
  waitingBytesMax: limit(
    1_073_741_824,
    'bytes',
    'Payload bytes of all waiting tasks of the memory store.',
    'As waitingTasksMax.',
  ),
  clientTasksMax: limit(
    500_000,
    'count',
    'Unsettled tasks of one client or node in one store, however many gateways took them: half of what may wait, so that one cannot fill it. Tasks of schedules are nobody’s.',
    'Its next submit is refused with QUEUE_FULL, which says when to come back; others go on.',
  ),
  submitBatchMax: limit(1_000, 'count', 'Tasks written to the store in one step.', 'The rest goes into the next step.'),
  submitsUnderWayMax: limit(
    8_192,
    'count',
    'Submits of one client that wait for their acknowledgement at once, so that a link is never flooded.',
    'Further submits wait in the client.',
  ),
  submitsPerSecondMax: limit(
    100_000,
    'per second',
    'Tasks one peer may submit; a burst of as many at once. Each peer has its own.',
    'The submit is refused with RATE_EXCEEDED and a retryAfterMs.',
  ),
  settledTasksMax: limit(100_000, 'count', 'Finished tasks that can still be asked for.', 'The oldest are forgotten.'),
  settledBytesMax: limit(
    268_435_456,
    'bytes',
    'Results of finished tasks, and payloads of failed and cancelled ones, that can still be asked for.',
    'As settledTasksMax.',
  ),
  retentionMs: limit(
    604_800_000,
    'ms',
    'How long a finished task can be asked for, by the store’s clock (7 days); 0: as long as settledTasksMax and settledBytesMax allow.',
    'It is forgotten, within purgeMs.',
  ),
  purgeMs: limit(60_000, 'ms', 'How often a gateway looks for finished tasks that are older than retentionMs.', '–'),
  purgeTasksMax: limit(
    500,
    'count',
    'Finished tasks that are forgotten in one step for their age, so that it keeps nobody waiting.',
    'The next step follows after sweepMs.',
  ),
  doctorTasksMax: limit(
    100,
    'count',
    'Tasks that one page of a checkup looks at, so that it keeps nobody waiting.',
    'The answer has a cursor for the next page.',
  ),
  doctorFindingsMax: limit(
    50,
    'count',
    'Findings in one page of a checkup.',
    'The answer says how many were left out.',
  ),
  historyMax: limit(
    512,
    'count',
    'Entries in one task’s history; enough for attemptsMax attempts.',
    'The oldest entries but the first are forgotten.',
  ),
  listMax: limit(
    1_000,
    'count',
    'Rows in one answer to a list query.',
    'The answer says how many there are in all and gives a cursor.',
  ),
  watchMax: limit(100_000, 'count', 'Tasks one client may watch.', 'The watch is refused with RATE_EXCEEDED.'),
  progressWaitingMax: limit(
    256,
    'count',
    'Progress reports that wait for a reader of `handle.progress`, also before there is one.',
    'The oldest is dropped.',
  ),
  progressWaitingBytesMax: limit(
    8_388_608,
    'bytes',
    'As progressWaitingMax, for their bytes.',
    'As progressWaitingMax.',
  ),

  // Nodes
  maxTasks: limit(5, 'count', 'Slots of a node that does not say.', '–'),
  maxTasksMax: limit(
    10_000,
    'count',
    'Slots one node may grant.',
    'The registration is refused: with OPTION_INVALID by the node’s own check, with MESSAGE_INVALID by the gateway’s.',
  ),
  outboxResultsMax: limit(
    10_000,
    'count',
    'Results that a node keeps until a gateway has acknowledged them; as many as a register may list.',
    'The node offers no slots and rejects assignments with NODE_FULL until it is down to three quarters; what runs is kept all the same.',
  ),
  outboxBytesMax: limit(268_435_456, 'bytes', 'As outboxResultsMax, for their bytes.', 'As outboxResultsMax.'),
  capabilitiesMax: limit(64, 'count', 'Capabilities of a node or needs of a task.', 'As maxTasksMax.'),
  breakerFaultsMax: limit(
    5,
    'count',
    'Faults in a row (assignments rejected or unanswered, crashes; never failures of handlers) at which a node is given a rest.',
    'The node is unhealthy and gets no new work; then one attempt is tried on it.',
  ),
  breakerWindowMs: limit(60_000, 'ms', 'Faults further apart than this are not in a row.', 'The count begins anew.'),
  breakerIncidentMs: limit(250, 'ms', 'Faults this close together have one cause.', 'They count as one.'),
  breakerRestMs: limit(5_000, 'ms', 'First rest of a node with too many faults, doubled each time, ± 10 %.', '–'),
  breakerRestMaxMs: limit(300_000, 'ms', 'Longest rest of a node with too many faults.', '–'),
  nodesMax: limit(5_000, 'count', 'Nodes known to one gateway.', 'The registration is refused with RATE_EXCEEDED.'),
  drainMs: limit(
    30_000,
    'ms',
    'How long a draining gateway or node waits for running attempts.',
    'What still runs is handed back and placed elsewhere.',
  ),

  // Messages between peers
  notesPerSecondMax: limit(
    1_000,
    'per second',
    'Messages one peer may send to others; a burst of as many at once.',
    'The message is refused with RATE_EXCEEDED and a retryAfterMs.',
  ),
  topicsMax: limit(1_000, 'count', 'Topics one peer may subscribe to.', 'The subscribe is refused with RATE_EXCEEDED.'),
  requestMs: limit(
    30_000,
    'ms',
    'How long a request to another peer waits for its reply when it does not say.',
    'The request rejects with TIMED_OUT.',
  ),
  requestsMax: limit(
    10_000,
    'count',
    'Requests of one peer that wait for a reply at once.',
    'The request rejects with RATE_EXCEEDED.',
  ),

  // Store leases (a gateway's claim on the work of its nodes)
  leaseMs: limit(
    10_000,
    'ms',
    'How long a gateway’s claim on its tasks lasts without a renewal.',
    'Another gateway may take its tasks over.',
  ),
  fenceMs: limit(
    7_000,
    'ms',
    'How long after its last good renewal a gateway still trusts its claim, by its own clock; less than leaseMs.',
    'It claims and places nothing until it has renewed; what runs goes on.',
  ),
  leaseRenewMs: limit(3_000, 'ms', 'How often a gateway renews its claim.', '–'),
  sweepMs: limit(1_000, 'ms', 'How often a gateway looks for due delays and dead gateways.', '–'),
  directoryMs: limit(
    1_000,
    'ms',
    'How often a gateway tells the others of its nodes, if anything about them has changed.',
    'Other gateways show what was told last.',
  ),
  watchPollMs: limit(
    5_000,
    'ms',
    'How often a gateway asks the store after tasks that are watched on it and run elsewhere.',
    'Without a hint from there, their outcome is told that much later.',
  ),
  busReplyMs: limit(
    2_000,
    'ms',
    'How long a gateway waits for the answer of another one.',
    'The message counts as not delivered there.',
  ),
  relayedPerSecondMax: limit(
    1_000,
    'count',
    'Progress reports a gateway passes on to other gateways in a second.',
    'Further ones are dropped and counted.',
  ),

  // Channels
  channelLeaseMs: limit(
    10_000,
    'ms',
    'How long a channel’s hold on its platform lasts without a renewal; it renews three times as often.',
    'It closes the platform by then, and another instance takes over within a third more.',
  ),
  channelLeaseMsMax: limit(300_000, 'ms', 'The longest lease a channel may ask for.', 'MESSAGE_INVALID.'),
  channelLeasesMax: limit(
    16,
    'count',
    'Leases one channel node may hold.',
    'A further one is refused with RATE_EXCEEDED.',
  ),
  channelReopenMinMs: limit(
    1_000,
    'ms',
    'First wait before a platform that failed is opened again, with full jitter.',
    '–',
  ),
  channelReopenMaxMs: limit(60_000, 'ms', 'Longest wait before a platform that failed is opened again.', '–'),
  channelOpenMs: limit(
    60_000,
    'ms',
    'How long a platform may take to open.',
    'It counts as failed, and is opened again after a backoff.',
  ),
  channelCloseMs: limit(
    10_000,
    'ms',
    'How long a platform may take to close.',
    'The log says so, and the lease is freed all the same.',
  ),
  channelTurnsMax: limit(
    1_000,
    'count',
    'Messages whose replies one channel still waits for.',
    'Further ones are refused with RATE_EXCEEDED (a webhook answers 503), or left with the platform (telegram).',
  ),
  channelAcceptMs: limit(
    10_000,
    'ms',
    'How long a message that came in waits for the gateway to have it.',
    'It is refused with GATEWAY_UNREACHABLE, so that its platform sends it again.',
  ),
  channelAddressBytesMax: limit(
    4_096,
    'bytes',
    'Where a reply goes, as JSON: it is kept with the delivery.',
    'The message is refused with PAYLOAD_INVALID.',
  ),
  channelDeliveriesMax: limit(
    16,
    'count',
    'Deliveries that one channel sends at once.',
    'The others wait for their turn.',
  ),
  channelDeliveriesHeldMax: limit(
    256,
    'count',
    'Deliveries that one channel has in hand: those it sends, and those whose platform has asked for patience.',
    'The others wait in the gateway.',
  ),
  channelDeliveryMs: limit(
    60_000,
    'ms',
    'How long a platform may take for one message.',
    'It is told to leave it, and the delivery is tried again, as after any failure.',
  ),
  channelDeliveryAttempts: limit(
    10,
    'count',
    'How often a delivery may fail; with the backoff of tasks that is two to four minutes, and more where the platform asks for it.',
    'The delivery is a failed task: logged, counted, listed, and sent after all by `pincer tasks retry`.',
  ),
  channelDeliveredMax: limit(
    10_000,
    'count',
    'Deliveries that a channel remembers to have made, so that one whose report was lost is not made again.',
    'The oldest is forgotten.',
  ),
  channelRetryAfterMsMax: limit(
    900_000,
    'ms',
    'How long an attempt of a delivery, or a platform that could not be opened, waits because it was told when to come back.',
    'It is tried all the same; the attempt fails if it is told to wait again, and the next one waits as long.',
  ),

  // The webhook channel
  webhookWindowMs: limit(
    300_000,
    'ms',
    'How far the timestamp of a request may be from the clock of the channel.',
    'It is answered 401, SIGNATURE_STALE.',
  ),
  webhookReplaysMax: limit(
    100_000,
    'count',
    'Signatures of accepted requests that are remembered for webhookWindowMs.',
    'Further requests are answered 503 until the oldest has aged.',
  ),
  webhookBodyBytesMax: limit(262_144, 'bytes', 'The body of one request.', 'It is answered 413, PAYLOAD_TOO_LARGE.'),
  webhookHoldMs: limit(
    25_000,
    'ms',
    'How long a request without a callback is held for its reply; proxies tend to give up at 30 s.',
    'It is answered 202 with the address where the reply will be.',
  ),
  webhookStreamMs: limit(
    900_000,
    'ms',
    'How long a stream of events may last.',
    'It ends with the event `later`, which has the address where the reply will be.',
  ),
  webhookConnectionsMax: limit(
    1_000,
    'count',
    'Open connections of one webhook channel, each with a body of at most webhookBodyBytesMax.',
    'Further connections are closed at once.',
  ),
  webhookCallbackMs: limit(
    10_000,
    'ms',
    'One request to a callback, from the name look-up to the last byte of the answer.',
    'The delivery is tried again.',
  ),

  // The telegram channel
  telegramPollMs: limit(30_000, 'ms', 'How long one request for updates waits for some.', 'It is asked again.'),
  telegramIdleMs: limit(
    300,
    'ms',
    'The shortest time between two requests for updates that brought none; a server may not wait as it is asked to.',
    '–',
  ),
  telegramRetryMinMs: limit(
    1_000,
    'ms',
    'First wait after updates could not be fetched, with full jitter; five times as long when another poller has them.',
    '–',
  ),
  telegramRetryMaxMs: limit(60_000, 'ms', 'Longest wait after updates could not be fetched.', '–'),
  telegramEditMs: limit(
    3_000,
    'ms',
    'The shortest time between two edits that show progress: Telegram takes about twenty messages a minute in a group.',
    'The latest text is shown when the time has passed.',
  ),
  telegramPartsMax: limit(
    8,
    'count',
    'Messages that one reply is divided into, each of at most 4 096 characters.',
    'The rest of the reply is left out, and the last message says so.',
  ),

  // Discovery (what a source says is a hint; these bound what a hostile or broken one can cost)
  discoveryCandidatesMax: limit(
    256,
    'count',
    'Candidates kept of one source.',
    'Further ones are dropped and counted until one of the known goes.',
  ),
  discoveryPerAddressMax: limit(
    64,
    'count',
    'mDNS adverts kept of one sending address.',
    'Further ones are dropped and counted.',
  ),
  discoveryChangesPerSecondMax: limit(
    50,
    'per second',
    'Candidates that come, change or go. A burst of discoveryCandidatesMax is let through.',
    'The rest follows later; what has flapped back by then is never told.',
  ),
  discoveryPacketsPerSecondMax: limit(
    200,
    'per second',
    'mDNS packets read by one source; the rest of the network talks on the same port.',
    'Further packets are dropped and counted.',
  ),
  discoverySearchMs: limit(
    10_000,
    'ms',
    'How long a source may take to say what it knows for the first time.',
    'The source is degraded and is started again after a backoff.',
  ),
  discoveryRetryMinMs: limit(
    1_000,
    'ms',
    'First wait before a degraded source is started again, with full jitter.',
    '–',
  ),
  discoveryRetryMaxMs: limit(60_000, 'ms', 'Longest wait before a degraded source is started again.', '–'),
  discoveryRefreshMs: limit(30_000, 'ms', 'How often a source looks again at what it can only ask for.', '–'),
  discoveryStaleMs: limit(
    120_000,
    'ms',
    'How long an mDNS advert is believed that nobody repeats.',
    'Its candidate is down.',
  ),
  discoveryDialMs: limit(
    5_000,
    'ms',
    'How long a dial waits for a gateway to be found, and for one that was found to answer.',
    'The dial fails with GATEWAY_UNREACHABLE, and is tried again.',
  ),
  discoveryDialsMax: limit(
    8,
    'count',
    'Found gateways that one dial tries, one after the other.',
    'The rest is tried by the next dial, after a backoff.',
  ),
  nodesFileBytesMax: limit(1_048_576, 'bytes', 'A nodes.json file.', 'It is refused with NODES_FILE_INVALID.'),
  nodesFileSettleMs: limit(100, 'ms', 'How long a nodes.json must lie still before it is read again.', '–'),

  // The registry
  registryRequestMs: limit(
    5_000,
    'ms',
    'One request to a registry, from the name look-up to the last byte of the answer.',
    'The source is degraded.',
  ),
  registryAnswerBytesMax: limit(1_048_576, 'bytes', 'One answer of a registry.', 'The source is degraded.'),
  registryBodyBytesMax: limit(16_384, 'bytes', 'One request to the registry server.', 'It is answered 413.'),
  registryNodesMax: limit(10_000, 'count', 'Leases of one registry server.', 'Further nodes are answered 429.'),
  registryPageMax: limit(200, 'count', 'Nodes in one answer of a registry.', 'The answer carries a cursor.'),
  registryLeaseMs: limit(30_000, 'ms', 'How long a registration lasts without a heartbeat.', 'The node is forgotten.'),
  registryRequestsPerSecondMax: limit(
    2_000,
    'per second',
    'Requests to one registry server, and, at a tenth, those of one address without the key.',
    'They are answered 429 with Retry-After.',
  ),

  // Isolated handlers
  isolateKillGraceMs: limit(
    2_000,
    'ms',
    'How long an isolated handler that was told to stop may take to end; below cancelGraceMs, so that it is never overdue.',
    'Its thread is terminated, its process tree gets SIGKILL.',
  ),
  isolateMemoryBytesMax: limit(
    536_870_912,
    'bytes',
    'JavaScript heap of one isolate; a process may hold 128 MiB more in all, which is what Node itself needs.',
    'The attempt fails with HANDLER_OUT_OF_MEMORY.',
  ),
  isolateOutputBytesMax: limit(
    65_536,
    'bytes',
    'Logged of what one isolated attempt prints; a line counts as 64 bytes at least.',
    'The rest is read and dropped; the log says so once.',
  ),
  isolateIdleMs: limit(30_000, 'ms', 'How long an isolate without work is kept ready.', 'It is ended.'),

  // inspection
  inspectedMax: limit(
    200,
    'count',
    'Actors under one parent (tasks, nodes, sessions, attempts) of which one inspector is told at a time.',
    'Of those that come then it is told nothing; once one of those it knows has ended, of the next again.',
  ),

  // tool-execution
  toolOutputBytesMax: limit(
    262_144,
    'bytes',
    'Kept of a command’s stdout, and of its stderr.',
    'The rest is read and dropped; the result says truncated.',
  ),
  toolStdinBytesMax: limit(524_288, 'bytes', 'What a command may be given on stdin.', 'PAYLOAD_INVALID.'),
  toolArgumentsMax: limit(256, 'count', 'Arguments of one command.', 'PAYLOAD_INVALID.'),
  toolKillGraceMs: limit(
    2_000,
    'ms',
    'From SIGTERM to SIGKILL for a command that is told to stop.',
    'The whole process tree gets SIGKILL.',
  ),
} as const;

/** The name of a limit. */
export type LimitName = keyof typeof LIMITS;

/** The value of every limit, by name. */
export type Limits = { readonly [Name in LimitName]: number };

/** Every limit at its default. */
export const defaultLimits: Limits = Object.freeze(
  Object.fromEntries(Object.entries(LIMITS).map(([name, { value }]) => [name, value])) as Limits,
);

function limit(value: number, unit: Limit['unit'], why: string, reached: string): Limit {
  return { value, unit, why, reached };
}
