/** Short ways to make replicas, groups and messages for tests that speak to the core directly. */
import type { RaftCore, RaftOptions } from '../../src/raft/core/raft-core.ts'
import { createRaft } from '../../src/raft/core/raft.ts'
import { ENTRY_COMMANDS, type AppendEntries, type Entry, type PeerMessage } from '../../src/raft/core/types.ts'
import { blankDisk, type Replica } from './replica.ts'
import { DEFAULT_OPTIONS, World } from './world.ts'

export const bytes = (text: string) => new TextEncoder().encode(text)

export function entry(index: number, term: number): Entry {
  return { index, term, type: ENTRY_COMMANDS, data: bytes(`${term}/${index}`) }
}

/** Replica 1 of {1,2,3} with a durable past. */
export function core(
  past: { term?: number; vote?: number; commit?: number; log?: readonly number[] } = {},
  options: Partial<RaftOptions> = {},
): RaftCore {
  const { term = 0, vote = 0, commit = 0, log = [] } = past
  const disk = blankDisk({ voters: [1, 2, 3], outgoing: [], learners: [], learnersNext: [] })
  const entries = log.map((t, i) => entry(i + 1, t))
  return createRaft({ ...DEFAULT_OPTIONS, ...options, self: 1 }, { ...disk, hardState: { term, vote, commit }, entries, applied: commit })
}

export function append(fields: Partial<AppendEntries>): AppendEntries {
  return { type: 'append_entries', from: 2, to: 1, term: 1, prevIndex: 0, prevTerm: 0, commit: 0, entries: [], ...fields }
}

export function vote(term: number, lastIndex: number, lastTerm: number, from = 2): PeerMessage {
  return { type: 'request_vote', from, to: 1, term, preVote: false, lastIndex, lastTerm, transfer: false }
}

/** Everything durable and applied at once; what leaves, in order. */
export function drain(raft: RaftCore): PeerMessage[] {
  const sent: PeerMessage[] = []
  while (raft.hasReady()) {
    const { messages, append: work, committed } = raft.ready()
    sent.push(...messages)
    if (work !== null) {
      raft.appended(work.ticket)
      for (const promise of work.thenSend) {
        if (promise.to === raft.self) raft.step(promise)
        else sent.push(promise)
      }
    }
    if (committed.length > 0) raft.applied(committed.at(-1)!.index)
  }
  return sent
}

export function group(size: number, options: Partial<RaftOptions> = {}): World {
  const world = new World()
  world.options = { ...world.options, ...options }
  const voters = Array.from({ length: size }, (_, i) => i + 1)
  for (const id of voters) world.add(id, blankDisk({ voters, outgoing: [], learners: [], learnersNext: [] }))
  return world
}

export function settle(world: World): void {
  world.stabilize(new Set(world.replicas.keys()))
}

export function led(size: number, options: Partial<RaftOptions> = {}): { readonly world: World; readonly leader: Replica } {
  const world = group(size, options)
  world.replica(1).core.campaign()
  settle(world)
  return { world, leader: world.replica(1) }
}
