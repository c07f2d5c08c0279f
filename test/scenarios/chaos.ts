/**
 * A group under everything a network and its disks may do, decided by one seed: messages lost, doubled and reordered,
 * links cut, replicas crashed in the middle of their writes, applying late, compacting, members coming and going.
 * Then it heals, and must make progress. Throws on the first broken invariant.
 */
import { assert } from '../../src/base/assert.ts'
import type { ReplicaId } from '../../src/base/ids.ts'
import type { RaftOptions } from '../../src/raft/core/raft-core.ts'
import type { InstallSnapshot, Membership } from '../../src/raft/core/types.ts'
import { Checker } from './checker.ts'
import { blankDisk, Replica, type Frame } from './replica.ts'

/** mulberry32: small, fast, good enough to choose faults. Uniform in [0, bound). */
export function seeded(seed: number): (bound: number) => number {
  let state = seed >>> 0
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * bound)
  }
}

interface Faults {
  readonly dropPercent: number
  readonly duplicatePercent: number
  readonly crashPermille: number
  readonly membershipPermille: number
  readonly lazyDisk: boolean
  readonly lazyApply: boolean
}

export interface ChaosResult {
  readonly committed: number
  readonly terms: number
  readonly answered: number
  readonly trace: string
}

export class Chaos {
  readonly #random: (bound: number) => number
  readonly #replicas = new Map<ReplicaId, Replica>()
  readonly #checker: Checker
  readonly #faults: Faults
  #network: Frame[] = []
  /** Links that are cut, as `from>to`. */
  #cut = new Set<string>()
  #proposals = 0
  #readIds = 0
  /** What was committed anywhere when the read was asked. */
  readonly #reads = new Map<number, number>()
  #answered = 0
  #hash = 0

  constructor(seed: number) {
    this.#random = seeded(seed)
    const random = this.#random
    this.#faults = {
      dropPercent: [0, 5, 20][random(3)]!,
      duplicatePercent: [0, 5, 20][random(3)]!,
      crashPermille: [0, 2, 8][random(3)]!,
      membershipPermille: [0, 2, 8][random(3)]!,
      lazyDisk: random(2) === 0,
      lazyApply: random(2) === 0,
    }
    const founders = [1024, 2048, 3072, 4096, 5120].slice(0, 1 + random(5))
    const founding: Membership = { voters: founders, outgoing: [], learners: [], learnersNext: [] }
    const options = swarmOptions(random)
    for (const id of [1024, 2048, 3072, 4096, 5120]) {
      const send = (frame: Frame) => void this.#network.push(frame)
      this.#replicas.set(id, new Replica(id, options, blankDisk(founders.includes(id) ? founding : null), send))
    }
    this.#checker = new Checker(this.#replicas)
  }

  /** `events` of chaos, then peace. */
  run(events: number): ChaosResult {
    for (let i = 0; i < events; i++) this.#event()
    this.#heal()
    const terms = Math.max(...[...this.#replicas.values()].map((replica) => replica.core.term))
    const trace = this.#hash.toString(16)
    return { committed: this.#checker.committed.length, terms, answered: this.#answered, trace }
  }

  #pick(): Replica {
    return [...this.#replicas.values()][this.#random(this.#replicas.size)]!
  }

  #event(): void {
    const random = this.#random
    const dice = random(1000)
    const replica = this.#pick()
    const { crashPermille, membershipPermille } = this.#faults
    if (dice < crashPermille) this.#crashOrRestart(replica)
    else if (dice < crashPermille + membershipPermille) this.#rearrange(replica)
    else if (dice < 19) this.#cutOrMend()
    else if (dice < 30) this.#whim(replica)
    else if (dice < 130) this.#propose(replica)
    else if (dice < 160) this.#read(replica)
    else if (dice < 330) this.#tick(replica)
    else this.#deliver(random(4) === 0 ? random(this.#network.length) : 0)
    this.#work(replica)
    if (random(2) === 0) this.#work(this.#pick())
  }

  #tick(replica: Replica): void {
    if (replica.alive) replica.core.tick()
    this.#checker.check(replica)
  }

  /** The host's part, as far as the disk and the machine feel like it. */
  #work(replica: Replica): void {
    if (!replica.alive) return
    const random = this.#random
    while (replica.collect()) this.#checker.check(replica)
    if (!this.#faults.lazyDisk || random(3) === 0) while (replica.persist()) this.#checker.check(replica)
    if (!this.#faults.lazyApply || random(3) === 0) while (replica.apply(1 + random(4))) this.#checker.check(replica)
    while (replica.collect()) this.#checker.check(replica)
    for (const answer of replica.answers.splice(0)) this.#readAnswered(answer.readId, answer.index)
  }

  #readAnswered(readId: number, index: number): void {
    const floor = this.#reads.get(readId)
    if (floor === undefined || index < 0) return
    this.#answered++
    assert(index >= floor, `read ${readId} was answered with ${index}, but ${floor} was committed before it was asked`)
  }

  #propose(replica: Replica): void {
    if (replica.alive) replica.core.propose(Buffer.from(`p${++this.#proposals}`))
  }

  #read(replica: Replica): void {
    if (!replica.alive) return
    const readId = ++this.#readIds
    this.#reads.set(readId, this.#checker.committed.length)
    replica.core.readIndex(readId)
  }

  #deliver(at: number): void {
    const [frame] = this.#network.splice(at, 1)
    if (frame === undefined) return
    const { message } = frame
    const lost = this.#random(100) < this.#faults.dropPercent || this.#cut.has(`${message.from}>${message.to}`)
    if (message.type === 'install_snapshot') this.#streamEnded(message, !lost)
    if (lost) return
    if (this.#random(100) < this.#faults.duplicatePercent) this.#network.push(frame)
    const receiver = this.#replicas.get(message.to)!
    receiver.receive(frame)
    this.#checker.check(receiver)
    this.#hash = (Math.imul(this.#hash, 31) + message.from + message.to * 7 + message.term * 131 + message.type.length) >>> 0
  }

  /** Every stream ends with a report to its sender: without one, the core would wait for it for ever. */
  #streamEnded(message: InstallSnapshot, ok: boolean): void {
    const sender = this.#replicas.get(message.from)!
    if (sender.alive) sender.core.snapshotSent(message.to, ok)
  }

  #crashOrRestart(replica: Replica): void {
    if (!replica.alive) {
      replica.restart()
      this.#checker.restarted(replica)
      return
    }
    replica.crash(this.#random(replica.writing.length + 1), this.#random(2) === 0)
    // What is meant for a past life is dropped: frames carry the receiver's incarnation.
    const lost = this.#network.filter((frame) => frame.message.to === replica.id)
    this.#network = this.#network.filter((frame) => frame.message.to !== replica.id)
    for (const { message } of lost) if (message.type === 'install_snapshot') this.#streamEnded(message, false)
  }

  #rearrange(replica: Replica): void {
    const ids = [...this.#replicas.keys()]
    const voters = ids.filter(() => this.#random(2) === 0)
    if (voters.length === 0 || !replica.alive) return
    const learners = ids.filter((id) => !voters.includes(id) && this.#random(3) === 0)
    replica.core.proposeMembership({ voters, learners })
  }

  #cutOrMend(): void {
    if (this.#random(3) !== 0) {
      this.#cut.clear()
      return
    }
    const victim = this.#pick().id
    const oneWay = this.#random(3) === 0
    for (const id of this.#replicas.keys()) {
      this.#cut.add(`${victim}>${id}`)
      if (!oneWay) this.#cut.add(`${id}>${victim}`)
    }
  }

  #whim(replica: Replica): void {
    if (!replica.alive) return
    const choice = this.#random(5)
    if (choice === 0) replica.core.campaign()
    if (choice === 1) replica.core.transferLeadership(this.#pick().id)
    if (choice === 2) replica.core.wake()
    if (choice === 3) replica.compact(this.#random(4))
    if (choice === 4) replica.core.unreachable(this.#pick().id)
    this.#checker.check(replica)
  }

  /** No more faults: a leader must come, and a write of now must reach everybody who belongs. */
  #heal(): void {
    this.#cut.clear()
    for (const replica of this.#replicas.values()) {
      if (replica.alive) continue
      replica.restart()
      this.#checker.restarted(replica)
    }
    const target = `h${this.#proposals}`
    let proposed = false
    for (let round = 0; round < 400; round++) {
      this.#peacefulRound()
      const leader = [...this.#replicas.values()].find((replica) => replica.core.role === 'leader')
      // The newest of them: an old leader may not know yet.
      if (leader === undefined || round < 100) continue
      proposed = leader.core.propose(Buffer.from(target)).ok || proposed
      if (proposed && this.#hasArrived(leader, target)) return
    }
    assert(false, `no progress: ${this.#describe()}`)
  }

  #hasArrived(leader: Replica, target: string): boolean {
    const { voters, learners, outgoing } = leader.core.appliedMembership
    const everybody = [...voters, ...learners].map((id) => this.#replicas.get(id)!)
    return outgoing.length === 0 && everybody.every((replica) => replica.history.some((line) => line.endsWith(` ${target}`)))
  }

  #peacefulRound(): void {
    for (const replica of this.#replicas.values()) {
      replica.core.tick()
      this.#checker.check(replica)
    }
    for (let turn = 0; turn < 50; turn++) {
      for (const replica of this.#replicas.values()) this.#workFully(replica)
      const frames = this.#network.splice(0)
      if (frames.length === 0) return
      for (const frame of frames) {
        const { message } = frame
        if (message.type === 'install_snapshot') this.#streamEnded(message, true)
        this.#replicas.get(message.to)!.receive(frame)
        this.#checker.check(this.#replicas.get(message.to)!)
      }
    }
  }

  #workFully(replica: Replica): void {
    let busy = true
    while (busy) {
      busy = replica.collect()
      while (replica.persist()) busy = true
      while (replica.apply()) busy = true
      this.#checker.check(replica)
    }
    for (const answer of replica.answers.splice(0)) this.#readAnswered(answer.readId, answer.index)
  }

  #describe(): string {
    return JSON.stringify([...this.#replicas.values()].map((replica) => ({ id: replica.id, ...replica.core.status() })))
  }
}

function swarmOptions(random: (bound: number) => number): Omit<RaftOptions, 'self'> {
  const electionTicks = 4 + random(8)
  return {
    electionTicks,
    heartbeatTicks: 1 + random(3),
    appendBytesMax: [1, 40, 1000][random(3)]!,
    inflightBytesMax: [1, 100, 10_000][random(3)]!,
    inflightMessagesMax: [1, 3, 64][random(3)]!,
    uncommittedBytesMax: [100, 10_000][random(2)]!,
    applyBytesMax: [1, 100, 10_000][random(3)]!,
    quiesceTicks: [0, 5, 20][random(3)]!,
    leaseReads: false,
    random,
  }
}
