/** Between the cluster and the checkers: after each event it shows them the replicas that changed, and every durable write. */
import { type GroupId, type LogIndex, NOBODY, type NodeId, type ReplicaId } from '../base/ids.ts'
import type { GroupStatus } from '../raft/group-host.ts'
import type { Checker } from './checkers/checker.ts'
import type { SimCluster, SimNode } from './cluster.ts'
import { type DurableGroup, DurableLogs, type LogListener } from './durable-log.ts'

interface Watched {
  readonly life: number
  readonly groups: Map<GroupId, { readonly replica: ReplicaId; readonly status: GroupStatus }>
}

export class Observer implements LogListener {
  readonly logs = new DurableLogs(this)
  readonly #checkers: readonly Checker[]
  readonly #watched = new Map<NodeId, Watched>()
  readonly #onFailure: (error: unknown) => void

  constructor(checkers: readonly Checker[], onFailure: (error: unknown) => void) {
    this.#checkers = checkers
    this.#onFailure = onFailure
  }

  attach({ id, disk }: SimNode): void {
    this.logs.watch(id, disk)
    disk.onLanded = (...landed) => this.#guard(() => this.#checkers.forEach((checker) => checker.landed?.(id, ...landed)))
  }

  written(node: NodeId, group: GroupId, log: DurableGroup, index: LogIndex): void {
    this.#guard(() => this.#checkers.forEach((checker) => checker.written?.(node, group, log, index)))
  }

  recovered(node: NodeId, group: GroupId, before: DurableGroup, after: DurableGroup | null): void {
    this.#guard(() => this.#checkers.forEach((checker) => checker.recovered?.(node, group, before, after)))
  }

  begunAgain(node: NodeId, group: GroupId, replica: ReplicaId): void {
    this.#guard(() => this.#checkers.forEach((checker) => checker.begunAgain?.(node, group, replica)))
  }

  /** A violation ends the run where it is found, not where it would next be noticed. */
  #guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#onFailure(error)
    }
  }

  /** After each event. */
  look(cluster: SimCluster): void {
    for (const node of cluster.nodes) {
      if (!node.life?.touched) continue
      node.life.touched = false
      if (node.up) this.#lookAt(node)
    }
    for (const checker of this.#checkers) checker.after?.()
  }

  #lookAt(node: SimNode): void {
    const host = node.running?.node.host
    if (!host) return
    let watched = this.#watched.get(node.id)
    if (watched?.life !== node.lives) this.#watched.set(node.id, (watched = { life: node.lives, groups: new Map() }))
    for (const { group } of host.damaged) for (const checker of this.#checkers) checker.damaged?.(node.id, group)
    for (const group of host.groups()) {
      const status = host.status(group)
      const replica = host.replicaOf(group) ?? NOBODY
      const known = watched.groups.get(group)
      // Another replica of the group may have begun in the same life: it has nothing to do with the one before.
      const before = known?.replica === replica ? known.status : null
      if (!status || (before && !moved(before, status))) continue
      watched.groups.set(group, { replica, status })
      const seen = {
        node: node.id,
        life: node.lives,
        disk: node.disks,
        group,
        replica,
        status,
        before,
        log: this.logs.of(node.id, group),
        logs: this.logs,
        machine: host.machine(group),
      }
      for (const checker of this.#checkers) checker.seen?.(seen)
    }
  }
}

function moved(a: GroupStatus, b: GroupStatus): boolean {
  return (
    a.term !== b.term ||
    a.role !== b.role ||
    a.commit !== b.commit ||
    a.applied !== b.applied ||
    a.vote !== b.vote ||
    a.durable !== b.durable ||
    a.last !== b.last ||
    a.first !== b.first ||
    a.serving !== b.serving ||
    a.checkpointed !== b.checkpointed
  )
}
