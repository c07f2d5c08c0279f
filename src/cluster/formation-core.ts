/**
 * How founding nodes become one cluster: once, before any group starts. Pure.
 *
 *   every node, every quarter second, to every other founder:  formation_state(who I am, my formation or none)
 *
 *   the lowest founder, fresh, has heard every other founder say "fresh"  ->  makes the formation
 *   a fresh founder hears a formation that names it with its own uid      ->  adopts it
 *   a fresh founder hears a formation that names it with another uid      ->  refused: its disk was emptied
 *
 * Safe at any loss, repetition and crash: whoever stored a formation keeps it for ever, and only the lowest makes one,
 * only while all founders say they are fresh; so two formations would need the lowest to lose its disk in between, and
 * then the others, which have one, refuse it.
 */
import type { NodeId } from '../base/ids.ts'
import type { Formation, Identity, Member } from './types.ts'

export interface Claim {
  readonly id: NodeId
  readonly uid: string
  readonly url: string
  readonly version: string
  readonly formation: Formation | null
}

export interface FormationSettings {
  readonly peers: readonly NodeId[]
  readonly partitions: number
  readonly replicas: number
}

export type FormationStep =
  | { readonly type: 'wait'; readonly missing: readonly NodeId[] }
  | { readonly type: 'adopt'; readonly formation: Formation; readonly member: Member }
  | { readonly type: 'refuse'; readonly reason: string }

export class FormationCore {
  readonly #self: Claim
  readonly #cluster: string
  readonly #settings: FormationSettings
  readonly #claims = new Map<NodeId, Claim>()

  constructor(identity: Identity, self: Omit<Claim, 'formation'>, settings: FormationSettings) {
    this.#self = { ...self, formation: null }
    this.#cluster = identity.cluster
    this.#settings = settings
  }

  hear(claim: Claim): void {
    this.#claims.set(claim.id, claim)
  }

  /** What follows from what was heard so far. `clusterId` and `secret` are used where this node makes the formation. */
  step(clusterId: string, secret: string): FormationStep {
    for (const { formation } of this.#claims.values()) if (formation) return this.#consider(formation)
    const { peers } = this.#settings
    const missing = peers.filter((peer) => peer !== this.#self.id && !this.#claims.has(peer))
    const lowest = [...peers].sort()[0]
    if (missing.length > 0 || lowest !== this.#self.id) return { type: 'wait', missing }
    return this.#consider(this.#found(clusterId, secret))
  }

  #found(clusterId: string, secret: string): Formation {
    const founders = [...this.#settings.peers].sort().map((id, at): Member => {
      const { uid, url, version } = id === this.#self.id ? this.#self : (this.#claims.get(id) as Claim)
      return { member: at + 1, id, uid, url, version, state: 'active' }
    })
    const { partitions, replicas } = this.#settings
    return { clusterId, secret, name: this.#cluster, partitions, replicas, founders }
  }

  #consider(formation: Formation): FormationStep {
    const { id, uid } = this.#self
    const member = formation.founders.find((founder) => founder.id === id)
    if (!member) {
      return {
        type: 'refuse',
        reason: `the cluster has formed without ${id}: start it with --join to make it a member, or correct cluster.node_id`,
      }
    }
    if (member.uid !== uid) {
      return {
        type: 'refuse',
        reason:
          `the cluster knows ${id} with another disk: this data directory was emptied or replaced, and the node’s votes with it. ` +
          `Give ${id} its old directory back (storage.data_directory), or let it begin anew: ` +
          `\`tricord members remove ${id}\` on the others, then start it with --join`,
      }
    }
    return { type: 'adopt', formation, member }
  }
}
