/**
 * What limits must be to each other. Each by itself may be any number; together they may say what cannot hold: a claim
 * that is trusted after it has run out, a node that is suspect between two of its heartbeats.
 */
import { PincerError } from './failure.ts';
import { plainText } from './identifier.ts';
import { defaultLimits, type LimitName, type Limits } from './limits.ts';
import { Policy } from './message.ts';
import { nearestOf } from './nearest-name.ts';

interface Relation {
  readonly less: LimitName;
  readonly more: LimitName;
  /** Whether both may be the same. */
  readonly mayEqual: boolean;
}

/** Every relation that is held to. docs/limits.md names them, and a test compares both. */
export const LIMIT_RELATIONS: readonly Relation[] = [
  below('payloadBytesMax', 'frameBytesMax'),
  upTo('frameBytesTarget', 'frameBytesMax'),
  upTo('sendBytesLow', 'sendBytesHigh'),
  upTo('sendBytesHigh', 'sendBytesMax'),
  below('heartbeatMs', 'suspectAfterMs'),
  upTo('suspectAfterMs', 'offlineAfterMs'),
  upTo('taskTimeoutMs', 'taskTimeoutMsMax'),
  upTo('attemptsDefault', 'attemptsMax'),
  upTo('maxTasks', 'maxTasksMax'),
  below('leaseRenewMs', 'fenceMs'),
  below('fenceMs', 'leaseMs'),
  upTo('channelLeaseMs', 'channelLeaseMsMax'),
];

/** What a welcome tells of them, and must be able to tell. */
const TOLD_LIMITS = Object.keys(Policy.shape) as (keyof Policy)[];

/** Limits that each message is held to by whoever reads it, whatever was set on the other side: they can only be lowered. */
export const WIRE_LIMITS: readonly LimitName[] = [
  ...(['frameBytesMax', 'payloadBytesMax', 'taskTimeoutMsMax', 'attemptsMax', 'dependenciesMax'] as const),
  ...(['listMax', 'maxTasksMax', 'capabilitiesMax', 'channelLeaseMsMax', 'registryPageMax'] as const),
];

/**
 * The limits as they are given, and the defaults of those that are not.
 * @throws PincerError `OPTION_INVALID` for an unknown limit, and one that is not a number ≥ 0 or that contradicts another
 */
export function limitsOf(given: Partial<Limits> | undefined): Limits {
  const limits = Object.freeze({ ...defaultLimits, ...givenLimits(given) });
  checkRelations(limits);
  return limits;
}

/** Those that are given, each by itself a limit. @throws PincerError `OPTION_INVALID` */
export function givenLimits(given: Partial<Limits> | undefined): Partial<Limits> {
  if (given === undefined) return {};
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new PincerError(
      'OPTION_INVALID',
      'limits must be an object of limits by their names, such as { drainMs: 5_000 }',
    );
  }
  const set: Partial<Record<string, number>> = {};
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(defaultLimits, name)) throw unknownLimit(name);
    if (value === undefined) continue;
    if (!(typeof value === 'number' && value >= 0)) {
      throw new PincerError('OPTION_INVALID', `limits.${name} is ${String(value)}, must be a number of at least 0`);
    }
    set[name] = value;
  }
  return set;
}

function unknownLimit(name: string): PincerError {
  const nearest = nearestOf(name, Object.keys(defaultLimits));
  const meant = nearest === null ? '' : `; did you mean ${nearest}?`;
  const hint = 'docs/limits.md names them all.';
  return new PincerError('OPTION_INVALID', `limits.${plainText(name, 100)} is not a limit${meant}`, { hint });
}

/** @throws PincerError `OPTION_INVALID`, naming the limit or both limits, and what they are */
export function checkRelations(limits: Limits): void {
  for (const name of TOLD_LIMITS) {
    if (Policy.shape[name].safeParse(limits[name]).success) continue;
    throw new PincerError(
      'OPTION_INVALID',
      `limits.${name} is ${limits[name]}, which no peer can be told: it must be a finite number above 0`,
      { hint: 'For “never”, give a long time, such as 86_400_000 for a day.' },
    );
  }
  for (const name of WIRE_LIMITS) {
    if (limits[name] <= defaultLimits[name]) continue;
    throw new PincerError(
      'OPTION_INVALID',
      `limits.${name} is ${limits[name]}, must be at most ${defaultLimits[name]}: no peer takes more`,
      { hint: 'It can be lowered, not raised; docs/limits.md says so of which.' },
    );
  }
  checkNewSession(limits);
  for (const { less, more, mayEqual } of LIMIT_RELATIONS) {
    const [small, large] = [limits[less], limits[more]];
    if (small < large || (mayEqual && small === large)) continue;
    const must = mayEqual ? 'at most' : 'less than';
    throw new PincerError(
      'OPTION_INVALID',
      `limits.${less} is ${small}, must be ${must} limits.${more}, which is ${large}`,
      {
        hint: 'Set both: what is not set has its default, which docs/limits.md names.',
      },
    );
  }
}

/**
 * A client says all of this again at the start of a session, before anything can be acknowledged. If that were more than
 * is kept, the session would end by it, and so would each that follows.
 */
function checkNewSession({ unacknowledgedMax, submitsUnderWayMax, watchMax, listMax }: Limits): void {
  const most = submitsUnderWayMax + Math.ceil(watchMax / Math.max(1, listMax));
  if (most <= unacknowledgedMax) return;
  throw new PincerError(
    'OPTION_INVALID',
    `limits.unacknowledgedMax is ${unacknowledgedMax}, must be at least ${most}: limits.submitsUnderWayMax, which is ` +
      `${submitsUnderWayMax}, and limits.watchMax / limits.listMax, which is ${watchMax} / ${listMax}`,
    { hint: 'Raise it, or lower the others: a client says all of that at once at the start of a session.' },
  );
}

function below(less: LimitName, more: LimitName): Relation {
  return { less, more, mayEqual: false };
}

function upTo(less: LimitName, more: LimitName): Relation {
  return { less, more, mayEqual: true };
}
