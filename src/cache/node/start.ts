/** The caches of a node, put together. */
import type { ActorSystem } from '../../actors/actor.ts'
import type { Hash } from '../../base/hash.ts'
import type { Millis, NodeId } from '../../base/ids.ts'
import type { ClusterDirectory } from '../../cluster/directory.ts'
import type { GroupHost, GroupHostOptions } from '../../raft/group-host.ts'
import { createProposer } from '../../raft/host/proposer.ts'
import { CACHE_PATH } from '../calls.ts'
import type { CacheMachine } from '../machine/machine.ts'
import { Answers } from './answers.ts'
import { CacheActor } from './cache-actor.ts'
import { Coherence } from './coherence.ts'
import { partitionRoom } from './home-room.ts'
import { Inspector } from './inspector.ts'
import type { LendMark } from './lend-mark.ts'
import { Operations } from './operations.ts'
import { Writes } from './writes.ts'

const DRAIN_LOOK_MS: Millis = 10
/** Whoever does not hear in time that this node holds nothing waits for the end of its lease. Longer than that of a client. */
const LEAVE_MS_MAX: Millis = 1_500
const PROPOSER_PATH = 'cache-proposer'

export interface CachesOptions {
  readonly system: ActorSystem
  readonly host: GroupHost
  readonly directory: ClusterDirectory
  /** As the failure detector has it. */
  readonly isUp: (node: NodeId) => boolean
  readonly hash: Hash
  readonly partitions: number
  readonly machineOf: (partition: number) => CacheMachine | null
  readonly storeBytesMax: number
  /** Of the entries of all replicas here; 0: whatever there is. */
  readonly replicaBytesMax: number
  readonly lendMark: LendMark
  readonly onLog: GroupHostOptions['onLog']
}

export interface NodeCaches {
  readonly coherence: Coherence
  /** What this node wrote alone (`writeback`) goes into the log, then it gives up its copies; resolves once that is in the logs, or time is over. */
  drain(timeoutMs: Millis): Promise<void>
  /** No call is answered after it. */
  close(): void
}

export function startCaches({
  system,
  host,
  directory,
  isUp,
  hash,
  partitions,
  machineOf,
  storeBytesMax,
  replicaBytesMax,
  lendMark,
  onLog,
}: CachesOptions): NodeCaches {
  const proposer = createProposer(system, { raft: host.id, path: PROPOSER_PATH })
  const writes = new Writes(proposer, { partitions, hash })
  const room = partitionRoom(replicaBytesMax, directory)
  const coherence = new Coherence({ system, host, directory, writes, machineOf, storeBytesMax, room, lendMark, onLog })
  const operations = new Operations(coherence, writes, coherence.tally)
  const inspector = new Inspector({ system, directory, isUp, proposer, writes, coherence })
  const answers = new Answers({ system, host, directory, writes, coherence, operations, inspector })
  system.spawn(CACHE_PATH, new CacheActor(coherence, (call) => answers.answer(call)))
  return {
    coherence,
    async drain(timeoutMs) {
      const { clock } = system
      const done = async (isDone: () => boolean, until: Millis): Promise<boolean> => {
        while (!isDone()) {
          if (clock.now() >= until) return false
          await new Promise<void>((resolve) => clock.after(DRAIN_LOOK_MS, resolve))
        }
        return true
      }
      const until = clock.now() + timeoutMs
      const isFlushed = await done(() => coherence.giveUpOwned(), until)
      if (isFlushed) await done(() => coherence.leave(), Math.min(until, clock.now() + LEAVE_MS_MAX))
    },
    close() {
      system.stop(CACHE_PATH)
      proposer.close()
    },
  }
}
