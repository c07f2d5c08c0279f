/**
 * What must hold between replicas (Figure 3 of the paper), looked at after every event. Remembers everything that was
 * ever committed, so a history that changes later is seen.
 */
import { assert } from '../../src/base/assert.ts'
import type { LogIndex, ReplicaId, Term } from '../../src/base/ids.ts'
import { majority } from '../../src/raft/core/quorum.ts'
import type { Entry } from '../../src/raft/core/types.ts'
import { showEntry, type Replica } from './replica.ts'

export class Checker {
  readonly #replicas: ReadonlyMap<ReplicaId, Replica>
  readonly #leaders = new Map<Term, ReplicaId>()
  /** index/term of every entry that was ever written, with what it is and what it follows. */
  readonly #entries = new Map<string, string>()
  /** What was applied at each index, from 1. */
  readonly #applied: string[] = []
  readonly #seen = new Map<ReplicaId, { term: Term; commit: LogIndex; history: number }>()
  /** The terms of the committed entries, from index 1. */
  readonly committed: Term[] = []

  constructor(replicas: ReadonlyMap<ReplicaId, Replica>) {
    this.#replicas = replicas
  }

  check(replica: Replica): void {
    if (!replica.alive) return
    assert(replica.core.forgot === 0, `${replica.id} had acknowledged ${replica.core.forgot}, and does not have it`)
    this.#electionSafety(replica)
    this.#committed(replica)
    this.#logMatching(replica)
    this.#stateMachineSafety(replica)
    const { term, commit } = replica.core
    this.#seen.set(replica.id, { term, commit, history: replica.history.length })
  }

  /** A restarted replica may have forgotten its commit index and what it applied, and nothing else. */
  restarted(replica: Replica): void {
    const { term } = replica.core
    this.#seen.set(replica.id, { term, commit: replica.core.commit, history: 0 })
  }

  /** At most one leader in a term; and it has everything that was committed before (leader completeness). */
  #electionSafety(replica: Replica): void {
    const { core } = replica
    if (core.role !== 'leader') return
    const known = this.#leaders.get(core.term)
    assert(known === undefined || known === replica.id, `term ${core.term} has two leaders: ${known} and ${replica.id}`)
    if (known !== undefined) return
    this.#leaders.set(core.term, replica.id)
    this.committed.forEach((term, i) => {
      const own = core.termAt(i + 1)
      const compacted = i + 1 < core.status().first
      assert(compacted || own === term, `leader ${replica.id} of term ${core.term} lacks the committed entry ${term}/${i + 1}`)
    })
  }

  #committed(replica: Replica): void {
    const { core } = replica
    const seen = this.#seen.get(replica.id)
    assert(seen === undefined || core.term >= seen.term, `the term of ${replica.id} went back`)
    assert(seen === undefined || core.commit >= seen.commit, `the commit index of ${replica.id} went back`)
    if (core.commit === seen?.commit) return
    for (let index = (seen?.commit ?? 0) + 1; index <= core.commit; index++) {
      const term = core.termAt(index)
      const known = this.committed[index - 1]
      assert(term === null || known === undefined || known === term, `${index} was committed as ${known} and as ${term}`)
      if (known === undefined) {
        assert(term !== null, `${index} was committed by nobody`)
        this.committed.push(term)
      }
    }
    if (core.role === 'leader') this.#durableOnQuorum(replica)
  }

  #durableOnQuorum(leader: Replica): void {
    const index = leader.core.commit
    const term = leader.core.termAt(index)
    // What it learned to be committed before it led was counted by another, in another membership.
    if (term !== leader.core.term) return
    const { voters, outgoing } = leader.core.appliedMembership
    for (const half of [voters, outgoing]) {
      if (half.length === 0) continue
      const holders = half.filter((id) => {
        const durable = this.#replicas.get(id)!.durableTermAt(index)
        return durable === 'covered' || durable === term
      })
      assert(holders.length >= majority(half.length), `${term}/${index} is committed, durable on ${holders} of ${half} only`)
    }
  }

  /** The same index and term: the same entry, and the same one before it; so by induction the same log. */
  #logMatching(replica: Replica): void {
    for (const work of replica.writing) {
      let previous: Entry | undefined
      for (const entry of work.entries) {
        if (previous !== undefined) this.#register(entry, previous.term)
        previous = entry
      }
    }
    const { entries, snapshot } = replica.disk
    for (let i = Math.max(0, entries.length - 8); i < entries.length; i++) {
      this.#register(entries[i]!, i === 0 ? snapshot.term : entries[i - 1]!.term)
    }
  }

  #register(entry: Entry, previousTerm: Term): void {
    const key = `${entry.index}/${entry.term}`
    const value = `${showEntry(entry)} after ${previousTerm}`
    const known = this.#entries.get(key)
    assert(known === undefined || known === value, `two entries at ${key}: ${known} and ${value}`)
    if (known === undefined) this.#entries.set(key, value)
  }

  #stateMachineSafety(replica: Replica): void {
    const from = this.#seen.get(replica.id)?.history ?? 0
    for (let i = from; i < replica.history.length; i++) {
      const known = this.#applied[i]
      assert(known === undefined || known === replica.history[i], `at ${i + 1}: ${known}, but ${replica.id} applied ${replica.history[i]}`)
      if (known === undefined) this.#applied[i] = replica.history[i]!
    }
  }
}
