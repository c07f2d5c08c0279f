/** What is said where a partition takes no more of something: how much it takes, and what to do instead. */
import { type Refused, refuse } from '../../base/refusal.ts'
import { CACHE_LIMITS } from '../types.ts'
import { MACHINE_LIMITS } from './commands.ts'

const { cachesPerPartitionMax } = CACHE_LIMITS
const { configsMax, holdersMax, loadsMax, markersMax, ownedMax, waitersPerLoadMax } = MACHINE_LIMITS

const REFUSALS = {
  caches: full(
    'QUOTA',
    `at most ${cachesPerPartitionMax} caches on a partition`,
    'put into one that is there, or empty one that is not needed',
  ),
  configs: full('QUOTA', `at most ${configsMax} configured caches on a partition`, 'a cache that is not configured has the defaults'),
  markers: full(
    'QUOTA',
    `at most ${markersMax} tags and levels on a partition`,
    'invalidate by keys, by another prefix or all; use tags again',
  ),
  holders: full('QUOTA', `at most ${holdersMax} nodes may hold copies`, 'nodes that are gone are forgotten after a minute'),
  owned: full('QUOTA', `at most ${ownedMax} lines of a partition are owned`, 'write through the log'),
  loads: full('OVERLOADED', `at most ${loadsMax} keys of a partition are loaded at a time`, 'ask again, or load it without a token'),
  waiters: full('OVERLOADED', `at most ${waitersPerLoadMax} wait for one key`, 'ask again, or with waitMs 0'),
} as const

export function tooMany(what: keyof typeof REFUSALS): Refused {
  return REFUSALS[what]
}

function full(code: 'QUOTA' | 'OVERLOADED', message: string, hint: string): Refused {
  return refuse(code, message, { hint })
}
