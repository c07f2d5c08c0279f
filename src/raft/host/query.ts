/**
 * One query, asked until it is answered or out of time. Asking again is free of effects, so every failure that another
 * try may cure is retried: no leader, a lost message, a host that is starting.
 */
import type { ActorSystem } from '../../actors/actor.ts'
import type { ActorId, Plain } from '../../actors/envelope.ts'
import { TricordError } from '../../base/errors.ts'
import type { GroupId, Millis } from '../../base/ids.ts'
import type { QueryAnswer, QueryOptions } from '../proposer.ts'
import { unreadable } from '../unreadable.ts'
import { isCount } from './codec.ts'
import { type QueryMessage, encodeQuery } from './propose-codec.ts'

/** Of one try: a message may have been lost, or its leader have died. */
const TRY_MS: Millis = 1_000
const PAUSE_MS: Millis = 50

export async function askQuery(
  system: ActorSystem,
  raft: ActorId,
  group: GroupId,
  { key, request }: Pick<QueryMessage, 'key' | 'request'>,
  options: QueryOptions,
): Promise<QueryAnswer> {
  const { clock } = system
  const until = clock.now() + options.timeoutMs
  const stale = options.consistency === 'stale'
  for (let repeat = false; ; repeat = true) {
    const left = until - clock.now()
    if (left <= 0) throw new TricordError('NO_QUORUM', 'no leader answered in time')
    try {
      const payload = encodeQuery({ group, hops: 0, stale, repeat, key, request })
      const reply = await system.ask(raft, 'query', payload, Math.min(left, TRY_MS), options.traceparent)
      return answerOf(reply.payload)
    } catch (error) {
      if (!(error instanceof TricordError) || !curable(error)) throw error
      if (clock.now() + PAUSE_MS >= until) throw new TricordError('NO_QUORUM', `no answer in time: ${error.message}`)
      await new Promise<void>((resolve) => clock.after(PAUSE_MS, resolve))
    }
  }
}

function curable({ code }: TricordError): boolean {
  return code === 'NO_LEADER' || code === 'UNKNOWN_OUTCOME' || code === 'STARTING'
}

function answerOf(payload: Plain): QueryAnswer {
  const [reply, appliedIndex, time] = Array.isArray(payload) ? (payload as readonly Plain[]) : []
  if (reply === undefined || !isCount(appliedIndex) || typeof time !== 'number') throw unreadable('no answer to a query')
  return { reply, appliedIndex, time }
}
