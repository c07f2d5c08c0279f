/**
 * Where a command or a query goes: to the group here if it leads, else to the leader's node, else to a node that holds
 * a replica. After a few hops, or where nobody is known, the sender is told NO_LEADER and tries again in its own time.
 * Nothing is ever kept waiting here.
 */
import { type ActorId, type Envelope, type Plain, actorId, nodeOf } from '../../actors/envelope.ts'
import { type GroupId, type Millis, NOBODY, type NodeId, type Term } from '../../base/ids.ts'
import { isCount } from './codec.ts'
import type { Group } from './group.ts'
import { type Propose, decodePropose, decodeQuery, encodePropose, encodeQuery } from './propose-codec.ts'
import type { Replicas } from './replicas.ts'
import type { HostShared } from './shared.ts'
import { RAFT_PATH } from './wire.ts'

const HOPS_MAX = 3
/** Proposers of this node and its gateways that hear of new leaders. */
const PROPOSERS_MAX = 64

/** For so long after it said that it leads, what is sent again goes to it as well: it may have been asked of one that is gone. */
const NEWS_MS: Millis = 500

/** Of the failure detector, as it gave them last; a node that was never heard from is in neither. */
export interface Verdicts {
  readonly up: ReadonlySet<NodeId>
  readonly down: ReadonlySet<NodeId>
}

export class Router {
  readonly #shared: HostShared
  readonly #replicas: Replicas
  readonly #node: NodeId
  readonly #verdicts: Verdicts
  readonly #proposers = new Set<ActorId>()
  /** The term in which this node last told the others that it leads. */
  readonly #told = new Map<GroupId, Term>()
  /** Of groups without a replica here: who said last that it leads. */
  readonly #leaders = new Map<GroupId, { readonly node: NodeId; readonly term: Term; readonly since: Millis }>()
  #tries = 0

  constructor(shared: HostShared, replicas: Replicas, node: NodeId, verdicts: Verdicts) {
    this.#shared = shared
    this.#replicas = replicas
    this.#node = node
    this.#verdicts = verdicts
  }

  propose(envelope: Envelope): void {
    const propose = decodePropose(envelope.payload)
    if (propose === null) return
    if (propose.hops === 0) this.#remember(envelope.senderId)
    const group = this.#replicas.get(propose.group)
    if (group !== null && group.leading) return group.intake.take(envelope, propose)
    const to = propose.hops >= HOPS_MAX ? null : this.#next(propose.group, group, propose.repeat)
    if (to === null) return this.#refuse(envelope, propose)
    for (const traceparent of propose.traces) {
      this.#shared.observer?.forwarded({ traceparent, group: propose.group }, to, this.#shared.clock.now())
    }
    const { group: id, parcel, client, repeat, essential, traces, bytes } = propose
    const payload = encodePropose({ group: id, hops: propose.hops + 1, parcel, client, repeat, essential, traces, bytes })
    this.#shared.outgoing.ctx.forward(withPayload(envelope, payload), actorId(to, RAFT_PATH))
  }

  #refuse(envelope: Envelope, { group, client, parcel }: Propose): void {
    this.#shared.outgoing.refuse(envelope.senderId, group, client, parcel, 'NO_LEADER', 'no leader is known')
  }

  query(envelope: Envelope): void {
    const query = decodeQuery(envelope.payload)
    const { ctx } = this.#shared.outgoing
    if (query === null) return ctx.fail(envelope, 'INVALID_ARGUMENT', 'malformed query')
    const group = this.#replicas.get(query.group)
    if (group !== null && query.stale && group.serving) return group.answerQuery(envelope, query)
    if (group !== null && group.leading) return group.reads.ask(envelope, query)
    const to = query.hops >= HOPS_MAX ? null : this.#next(query.group, group, query.repeat)
    if (to === null) return ctx.fail(envelope, 'NO_LEADER', 'no leader is known')
    ctx.forward(withPayload(envelope, encodeQuery({ ...query, hops: query.hops + 1 })), actorId(to, RAFT_PATH))
  }

  /** Null: nobody is known who could take it now. */
  #next(id: GroupId, group: Group | null, again: boolean): NodeId | null {
    if (group !== null && group.core.leader !== NOBODY) {
      const node = this.#shared.outgoing.nodeOf(group.core.leader)
      if (again) this.#doubt(group)
      return node === this.#node ? null : node
    }
    if (group !== null && group.applier.index > 0) return null
    const hosts = this.#hostsOf(id)
    const leader = this.#leaders.get(id)
    if (leader !== undefined && hosts.includes(leader.node) && (!again || this.#shared.clock.now() - leader.since < NEWS_MS))
      return leader.node
    return hosts[again ? this.#tries++ % hosts.length : 0] ?? null
  }

  /** Those that are there come first: one that was never heard from may have been away for long. */
  #hostsOf(id: GroupId): readonly NodeId[] {
    const { up, down } = this.#verdicts
    const hosts = this.#shared.options.directory.hostsOf(id).filter((node) => node !== this.#node && !down.has(node))
    return [...hosts.filter((node) => up.has(node)), ...hosts.filter((node) => !up.has(node))]
  }

  /** A leader that gives no answer may have died while its group slept: let the election timers run. */
  #doubt(group: Group): void {
    if (!group.core.quiesced) return
    group.core.wake()
    this.#shared.dirty(group)
  }

  #remember(proposer: ActorId): void {
    const node = nodeOf(proposer)
    if (node !== this.#node && !node.startsWith(`${this.#node}:`)) return
    if (this.#proposers.size < PROPOSERS_MAX) this.#proposers.add(proposer)
  }

  /**
   * A group has a leader: whoever waits for one may try again, and whoever waits for an answer says where to send it. Those of
   * other nodes as well that sent commands here while this replica led: what it took and could not answer any more nobody else
   * answers. Where there is no replica of the group nobody would notice that a leader died, so the new one tells those nodes.
   */
  tellLeader(group: Group): void {
    const { leader, term } = group.core
    const node = leader === NOBODY ? null : this.#shared.outgoing.nodeOf(leader)
    if (node === null) return
    const news = [group.id, term, node]
    for (const proposer of new Set([...this.#proposers, ...group.intake.takeLeft()]))
      this.#shared.outgoing.ctx.send(proposer, 'group_leader', news)
    if (!group.leading || this.#told.get(group.id) === term) return
    this.#told.set(group.id, term)
    const { directory } = this.#shared.options
    const hosts = new Set([this.#node, ...directory.hostsOf(group.id)])
    for (const other of directory.nodes) if (!hosts.has(other)) this.#shared.outgoing.toNode(other, 'group_leader', news)
  }

  #note(news: Plain): void {
    const [group, term, node] = (Array.isArray(news) ? news : []) as readonly Plain[]
    if (!isCount(group) || !isCount(term) || typeof node !== 'string') return
    const known = this.#leaders.get(group)
    if (this.#shared.options.directory.hostsOf(group).length === 0 || (known !== undefined && term <= known.term)) return
    this.#leaders.set(group, { node, term, since: this.#shared.clock.now() })
  }

  /** News from another node, to the proposers of this one and its gateways. */
  relayLeader(news: Plain): void {
    this.#note(news)
    for (const proposer of this.#proposers) this.#shared.outgoing.ctx.send(proposer, 'group_leader', news)
  }
}

function withPayload(envelope: Envelope, payload: Plain): Envelope {
  const { msgId, msgType, senderId, receiverId, timestamp, inReplyTo, timeoutMs, traceparent } = envelope
  return { msgId, msgType, senderId, receiverId, payload, timestamp, inReplyTo, timeoutMs, traceparent }
}
