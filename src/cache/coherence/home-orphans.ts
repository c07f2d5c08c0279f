/**
 * Lines that are owned by the log and that nobody holds: their owner died, forgot them in a restart, or never heard that an older
 * home gave them to it. Such a line is pinned for nothing, and as long as nobody asks for it nothing else would end that. So the home
 * goes round what is owned, and ends the ownerships that are over for long, a few at a time.
 *
 *   owned by the log, and by nobody here ──for `holderIdleMs` after its last session, or the election──▶ port.release ──▶ free
 *
 * An owner that was cut off for less may come back and flush. Where the hand stands is not part of the state: it may begin anywhere.
 */
import type { Millis } from '../../base/ids.ts'
import type { Home, OwnedBy } from './home.ts'
import { isLive } from './home.ts'
import { takeBack } from './home-owners.ts'

const LOOKS_PER_TICK = 4_096
/** Entries of the log under way for it. */
const ENDING_MAX = 32
const GO_ON_MS: Millis = 250

/** Does what is due; returns when to come again. */
export function tickOrphans(home: Home, now: Millis): Millis {
  const { state, round } = home
  if (!state.open) return Infinity
  if (now >= round.at) round.at = goOn(home, now)
  return round.at
}

function goOn(home: Home, now: Millis): Millis {
  const { state, round, options, port } = home
  for (const id of round.ending) if (state.lines.get(id)?.step !== 'release') round.ending.delete(id)
  round.hand ??= port.eachOwned()
  for (let looks = 0; looks < LOOKS_PER_TICK && round.ending.size < ENDING_MAX; looks++) {
    const { value, done } = round.hand.next()
    if (done) {
      const { found } = round
      round.hand = null
      round.found = false
      return found ? now + options.holderIdleMs / 2 : Infinity
    }
    round.found = true
    if (!isOrphan(home, value, now)) continue
    takeBack(home, value.line, now)
    round.ending.add(value.line)
  }
  return now + GO_ON_MS
}

function isOrphan(home: Home, { line: id, node }: OwnedBy, now: Millis): boolean {
  const { state, options } = home
  const line = state.lines.get(id)
  if (line?.busy || line?.step) return false
  if (line?.owner && isLive(home, line.owner)) return false
  return now >= (state.peers.get(node)?.overAt ?? state.startedAt) + options.holderIdleMs
}
