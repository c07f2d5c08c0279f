/**
 * What near caches served, and what that must satisfy: whatever was answered to somebody longer ago than a lease is not contradicted
 * by a hit. Judged in the end, from the histories of the keys.
 *
 *   answered: version 8, or nothing there ──┐                        hit: version 7
 *   ────────────────────────────────────────┴──── at most 3 s ───────┴────▶ world time      (and the way of the beat that it relies on)
 */
import type { Millis } from '../base/ids.ts'
import type { CacheHistory, Open } from './cache-history.ts'
import { SimFailure } from './world.ts'

const LEASE_MS: Millis = 3_000

export interface Hit {
  readonly client: string
  readonly key: string
  /** 0: it said that there is nothing. */
  readonly version: number
  /** When the read was answered that it comes from. */
  readonly filledAt: Millis
  readonly at: Millis
  /** Of what its lease came by, where that counts from the arrival. */
  readonly wayMs: Millis
}

interface Answered {
  readonly calledAt: Millis
  /** Or, of what an owner alone knew, in the log. */
  readonly endedAt: Millis
  /** A later version was there, or this one was taken away. */
  readonly versionMin: number
}

interface KeyHistory {
  readonly key: string
  /** By when it was answered; `versionMin` rises: nothing older was there any more. */
  readonly rising: readonly Answered[]
  /** Answers by which there was nothing at some time while they were under way. */
  readonly nothing: readonly Answered[]
  /** Answers that showed something. */
  readonly present: readonly Answered[]
  /** Whatever may take it away. */
  readonly takers: readonly Open[]
  readonly knownAt: ReadonlyMap<number, Millis>
}

export class NearHistory {
  readonly #hits: Hit[] = []

  get size(): number {
    return this.#hits.length
  }

  hit(hit: Hit): void {
    this.#hits.push(hit)
  }

  /**
   * Throws where one was older than it may be. `isMortal`: values may be over by their time. `countsFrom`: since when an answer is known of
   * what is in the log; Infinity: never.
   */
  check(history: CacheHistory, isMortal: boolean, countsFrom: (open: Open) => Millis): void {
    const keys = new Map<string, KeyHistory>()
    for (const hit of this.#hits) {
      const of = keys.get(hit.key) ?? keyHistory(hit.key, history.of(hit.key), countsFrom)
      keys.set(hit.key, of)
      const against = hit.version === 0 ? (isMortal ? undefined : againstNothing(hit, of)) : againstValue(hit, of)
      if (against !== undefined) fail(hit, against)
    }
  }
}

function keyHistory(key: string, opens: readonly Open[], countsFrom: (open: Open) => Millis): KeyHistory {
  const answered = opens.map((open) => answeredOf(open, countsFrom(open))).filter((one) => one !== null)
  const rising: Answered[] = []
  const byEnd = answered.filter(({ versionMin }) => versionMin > 0).toSorted((a, b) => a.endedAt - b.endedAt)
  for (const one of byEnd) if (one.versionMin > (rising.at(-1)?.versionMin ?? 0)) rising.push(one)
  const knownAt = new Map<number, Millis>()
  for (const { versionMin, endedAt } of byEnd) if (!knownAt.has(versionMin)) knownAt.set(versionMin, endedAt)
  return {
    key,
    rising,
    nothing: answered.filter(({ versionMin }) => versionMin === 0),
    present: answered.filter(({ versionMin }) => versionMin > 0),
    takers: opens.filter(({ told }) => told?.kind === 'invalidate' || told?.kind === 'delete'),
    knownAt,
  }
}

/** `versionMin` 0: there was nothing. Null: it tells of neither. */
function answeredOf({ told, calledAt }: Open, endedAt: Millis): Answered | null {
  if (told === null || endedAt === Infinity) return null
  if (told.kind === 'read') return { calledAt, endedAt, versionMin: told.value === null ? 0 : told.version }
  if (told.kind === 'invalidate') return told.tag === '' ? { calledAt, endedAt, versionMin: 0 } : null
  if (told.kind === 'grant' || told.kind === 'loss' || typeof told.result === 'string' || !('version' in told.result)) return null
  return told.kind === 'delete' ? { calledAt, endedAt, versionMin: 0 } : { calledAt, endedAt, versionMin: told.result.version }
}

function againstValue(hit: Hit, { rising, nothing, present, knownAt }: KeyHistory): Answered | undefined {
  const limit = hit.at - LEASE_MS - hit.wayMs
  const later = rising.find(({ endedAt, versionMin }) => versionMin > hit.version && endedAt < limit)
  if (later !== undefined) return later
  // It was there before, so that it was not any more: taken away, or lost. Versions never come back.
  const since = Math.min(hit.filledAt, knownAt.get(hit.version) ?? Infinity)
  const isOver = ({ versionMin, calledAt, endedAt }: Answered): boolean => versionMin < hit.version && calledAt > since && endedAt < limit
  return nothing.find(isOver) ?? present.find(isOver)
}

/** It was there, and nobody took it away until now. */
function againstNothing(hit: Hit, { present, takers }: KeyHistory): Answered | undefined {
  const limit = hit.at - LEASE_MS - hit.wayMs
  return present.find(
    ({ calledAt, endedAt }) => endedAt < limit && !takers.some((taker) => taker.calledAt <= hit.at && taker.endedAt >= calledAt),
  )
}

function fail({ client, key, version, filledAt, at, wayMs }: Hit, { calledAt, endedAt, versionMin }: Answered): never {
  const served = version === 0 ? 'nothing' : `version ${version}`
  const there = versionMin === 0 ? 'nothing' : `version ${versionMin}`
  throw new SimFailure(
    `near: ${client} served ${served} of ${key} at ${at} (read by ${filledAt}, way ${wayMs}); at ${calledAt}..${endedAt} there was ${there}`,
  )
}
