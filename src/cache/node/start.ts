/** The caches of a node, put together. */
import type { ActorSystem } from '../../actors/actor.ts'
import type { Hash } from '../../base/hash.ts'
import type { Directory, GroupHost } from '../../raft/group-host.ts'
import { createProposer } from '../../raft/host/proposer.ts'
import { CACHE_PATH } from '../calls.ts'
import type { CacheMachine } from '../machine/machine.ts'
import { CACHE_LIMITS } from '../types.ts'
import { Answers } from './answers.ts'
import { CacheActor } from './cache-actor.ts'
import { Coherence } from './coherence.ts'
import { Operations } from './operations.ts'
import { Writes } from './writes.ts'

const PROPOSER_PATH = 'cache-proposer'
/** A value with all that can be said of it. */
const COMMAND_BYTES_MAX = CACHE_LIMITS.valueBytesMax + 65_536

export interface CachesOptions {
  readonly system: ActorSystem
  readonly host: GroupHost
  readonly directory: Directory
  readonly hash: Hash
  readonly partitions: number
  readonly machineOf: (partition: number) => CacheMachine | null
  readonly storeBytesMax: number
}

export interface NodeCaches {
  readonly coherence: Coherence
  /** No call is answered after it. */
  close(): void
}

export function startCaches({ system, host, directory, hash, partitions, machineOf, storeBytesMax }: CachesOptions): NodeCaches {
  const proposer = createProposer(system, { raft: host.id, path: PROPOSER_PATH, commandBytesMax: COMMAND_BYTES_MAX })
  const writes = new Writes(proposer, { partitions, hash })
  const coherence = new Coherence({ system, host, directory, writes, machineOf, storeBytesMax })
  const operations = new Operations(coherence, writes, coherence.tally)
  const answers = new Answers({ system, host, directory, proposer, writes, coherence, operations })
  system.spawn(CACHE_PATH, new CacheActor(coherence, (call) => answers.answer(call)))
  return {
    coherence,
    close() {
      system.stop(CACHE_PATH)
      proposer.close()
    },
  }
}
