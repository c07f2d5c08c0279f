/**
 * The actor `reconciler`: drives what is toward the committed table. Every node runs the same three plans over what it can
 * see, in this order, now and then and soon after each change; each is pure and stands in a file of its own:
 *
 *   local   (every node)         begin, replace, retire, remove replicas      reconcile-local.ts
 *   group   (leader of a group)  add, promote, drop members; hand leadership back   reconcile-group.ts, restore-leaders.ts
 *   meta    (leader of meta)     the next table, members active or gone       reconcile-meta.ts
 *
 * Nothing is remembered that matters: a plan that was cut short is made again from what is then. Two nodes that see
 * different epochs agree in the end; what must not go wrong meanwhile is guarded where it is decided: in `meta` (epoch,
 * lives) and in each group's own membership change.
 */
import type { Actor, ActorContext } from '../actors/actor.ts'
import { type Envelope, type Plain, actorId, nodeOf } from '../actors/envelope.ts'
import type { Hash } from '../base/hash.ts'
import { type GroupId, META_GROUP, type MemberId, type Millis, NOBODY, type NodeId, memberOf, replicaId } from '../base/ids.ts'
import type { Timer } from '../io/clock.ts'
import { DiskFullError } from '../io/storage.ts'
import type { GroupHost, GroupStatus } from '../raft/group-host.ts'
import type { Proposer } from '../raft/proposer.ts'
import type { ClusterDirectory } from './directory.ts'
import type { FailureDetector } from './failure-detector.ts'
import { CLUSTER_PATH } from './join.ts'
import { Leading } from './leading.ts'
import type { ReplicaLedger } from './ledger.ts'
import { type MetaCommand, encodeMetaCommand, valueOf } from './meta-machine-commands.ts'
import { targetOf } from './reconcile-group.ts'
import { type LocalPlan, type LocalReplica, type ReplicaKey, planLocal, replicaKey } from './reconcile-local.ts'
import { needsSurvey, planMeta } from './reconcile-meta.ts'
import {
  type Redistribute,
  decodeRedistribute,
  decodeRedistributeReply,
  encodeRedistribute,
  encodeRedistributeReply,
} from './redistribute.ts'
import { Surveyor, readAnswer, statusRows } from './status.ts'
import type { Formation, MetaView } from './types.ts'

export const RECONCILER_PATH = 'reconciler'
const IDLE_MS: Millis = 500
const BUSY_MS: Millis = 100
const SOON_MS: Millis = 10
const PROPOSE_TIMEOUT_MS: Millis = 5_000
/** Without a leader of `meta` for so long, this node may have been left out: it asks the others for the table. */
const META_SILENCE_MS: Millis = 3_000
const MOVES_MAX = 2

export interface ReconcilerDeps {
  readonly host: GroupHost
  readonly directory: ClusterDirectory
  readonly detector: FailureDetector
  readonly proposer: Proposer
  readonly ledger: ReplicaLedger
  readonly formation: Formation
  readonly hash: Hash
  readonly member: MemberId
  readonly uid: string
  /** Where clients reach this node; '' while that is not known (`announce`). */
  readonly url: string
  readonly version: string
  /** The view of the `meta` replica on this node; null where there is none. */
  readonly metaView: () => MetaView | null
  /** While the founding replicas are being made, the table makes none. */
  readonly founding: () => boolean
  readonly onDiskFatal: (error: Error) => void
  readonly onLog: (level: 'info' | 'warn' | 'error', message: string, fields?: Readonly<Record<string, unknown>>) => void
  /** This node is no member any more, and holds nothing. */
  readonly onLeft: () => void
}

/** What one node is told in one round. */
interface Letter {
  readonly takes: Redistribute['takes'][number][]
  readonly asks: Redistribute['asks'][number][]
  readonly offers: Redistribute['offers'][number][]
}

export class Reconciler implements Actor {
  readonly #deps: ReconcilerDeps
  readonly #leading: Leading
  readonly #surveyor = new Surveyor()
  readonly #out = new Set<ReplicaKey>()
  readonly #retired = new Set<ReplicaKey>()
  /** Proposals under way, by what they are for. */
  readonly #proposing = new Set<string>()
  #ctx: ActorContext | null = null
  #timer: Timer | null = null
  #soon: Timer | null = null
  #beginning = false
  #metaSeenAt: Millis = 0
  #left = false
  #url: string

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps
    this.#url = deps.url
    this.#leading = new Leading(deps, MOVES_MAX)
  }

  start(ctx: ActorContext): void {
    this.#ctx = ctx
    this.#metaSeenAt = ctx.clock.now()
    this.#deps.host.onChange(() => this.poke())
    this.#timer = ctx.after(SOON_MS, 'tick')
  }

  stop(): void {
    this.#timer?.cancel()
    this.#soon?.cancel()
    this.#ctx = null
  }

  /** Where clients reach this node, as is known by now: the others are told. */
  announce(url: string): void {
    this.#url = url
    this.poke()
  }

  /** Something changed: look soon. */
  poke(): void {
    const ctx = this.#ctx
    if (!ctx || this.#soon) return
    this.#soon = ctx.after(SOON_MS, 'look')
  }

  /** A newer table, from the replica of `meta` here or from another node. */
  adopt(view: MetaView): void {
    if (!this.#deps.directory.adopt(view)) return
    // What was out may be given again, let in, and taken away again: only an answer to a question of this epoch counts.
    this.#out.clear()
    this.poke()
  }

  receive(envelope: Envelope, ctx: ActorContext): void {
    switch (envelope.msgType) {
      case 'tick':
      case 'look':
        return envelope.senderId === ctx.self ? this.#look(ctx, envelope.msgType === 'tick') : undefined
      case 'redistribute':
        return this.#onRedistribute(envelope, ctx)
      case 'redistribute_reply':
        return this.#onReply(envelope)
      case 'cluster_status_reply':
        return this.#surveyor.take(nodeOf(envelope.senderId), readAnswer(envelope.payload))
    }
  }

  /** One round. Only those of the clock ask other nodes. */
  #look(ctx: ActorContext, ticking: boolean): void {
    const now = ctx.clock.now()
    if (!ticking) this.#soon = null
    const replicas = this.#replicas()
    const plan = this.#planLocal(replicas)
    this.#carryOut(ctx, plan)
    const moving = this.#leading.look(now)
    this.#lookAtMeta(ctx, ticking)
    this.#describeMyself()
    this.#noticeLeaving(replicas)
    if (!ticking) return
    this.#askAround(ctx, plan, now)
    const busy = moving || plan.take.length + plan.ask.length + plan.begin.length + plan.replace.length > 0
    this.#timer = ctx.after(busy || needsSurvey(this.#deps.directory.view) ? BUSY_MS : IDLE_MS, 'tick')
  }

  #replicas(): ReadonlyMap<GroupId, LocalReplica> {
    const { host } = this.#deps
    const replicas = new Map<GroupId, LocalReplica>()
    const damaged = new Map(host.damaged.map(({ group, replica }) => [group, replica]))
    for (const [group, replica] of damaged) replicas.set(group, { replica, term: 0, damaged: true, ailing: false, inPlace: false })
    for (const group of host.groups()) {
      const replica = host.replicaOf(group)
      if (replica === null) continue
      const status = host.status(group)
      replicas.set(group, {
        replica,
        term: status?.term ?? 0,
        damaged: false,
        ailing: damaged.get(group) === replica,
        inPlace: this.#isInPlace(group, status),
      })
    }
    return replicas
  }

  #isInPlace(group: GroupId, status: GroupStatus | null): boolean {
    const { directory, host } = this.#deps
    const replica = host.replicaOf(group) ?? NOBODY
    if (!status?.serving) return false
    const { voters, learners } = status.membership
    const placement = directory.placementOf(group)
    const learns = placement !== null && targetOf(placement).learners.includes(replica)
    return voters.includes(replica) || (learns && learners.includes(replica))
  }

  #planLocal(replicas: ReadonlyMap<GroupId, LocalReplica>): LocalPlan {
    const { directory, ledger, member } = this.#deps
    return planLocal({
      member,
      staying: (directory.memberOf(member)?.state ?? 'leaving') !== 'leaving',
      placements: directory.placements,
      replicas,
      begun: (group) => ledger.begun(group),
      out: this.#out,
      retired: this.#retired,
      movesMax: MOVES_MAX,
    })
  }

  #carryOut(ctx: ActorContext, plan: LocalPlan): void {
    const { host, ledger, member, onDiskFatal, onLog } = this.#deps
    for (const group of plan.remove) {
      onLog('info', 'a replica is removed: its group goes on elsewhere', { group })
      this.#forget(group)
      host.removeReplica(group)
    }
    if (plan.begin.length > 0 && !this.#beginning && !this.#deps.founding()) {
      this.#beginning = true
      const create = (): void => {
        this.#beginning = false
        for (const [group, life] of plan.begin) if (host.replicaOf(group) === null) host.createReplica(group, replicaId(member, life), null)
        this.poke()
      }
      ctx.pipeToSelf(ledger.begin(plan.begin), create, (error) => {
        if (!(error instanceof DiskFullError)) return onDiskFatal(error)
        // The next round tries again.
        this.#beginning = false
        onLog('error', 'the disk is full: replicas that the table gives to this node wait')
      })
    }
    if (plan.replace.length > 0 && !this.#deps.founding()) {
      onLog('warn', 'replicas are damaged or lost: they are made anew from the other nodes', {
        groups: plan.replace.map(([group]) => group),
      })
      this.#propose(ctx, 'replace', { name: 'replace_replica', member, lives: plan.replace })
    }
    if (plan.retire.length > 0) {
      const lives = plan.retire
      this.#propose(ctx, 'retire', { name: 'retire_replica', member, lives }, (answer) => {
        const may = Array.isArray(answer) ? (answer as readonly Plain[]) : []
        for (const [group, life] of lives) if (may.includes(group)) this.#retired.add(replicaKey(group, replicaId(member, life)))
      })
    }
  }

  #forget(group: GroupId): void {
    for (const known of [this.#out, this.#retired]) for (const key of known) if (key.startsWith(`${group}/`)) known.delete(key)
  }

  /** At most one of a kind under way; the next round makes it again where it failed. */
  #propose(ctx: ActorContext, kind: string, command: MetaCommand, done: (value: Plain) => void = () => undefined): void {
    if (this.#proposing.has(kind)) return
    this.#proposing.add(kind)
    this.#deps.proposer.submit(META_GROUP, encodeMetaCommand(command), { timeoutMs: PROPOSE_TIMEOUT_MS, essential: true }, (result) =>
      ctx.enter(() => {
        this.#proposing.delete(kind)
        if (!result.ok) return
        try {
          done(valueOf(result.reply))
        } catch (error) {
          this.#deps.onLog('warn', `meta refused ${command.name}: ${(error as Error).message}`)
          return
        }
        this.poke()
      }),
    )
  }

  #lookAtMeta(ctx: ActorContext, ticking: boolean): void {
    const { host, directory, formation, hash, metaView, onLog } = this.#deps
    const view = metaView()
    if (host.status(META_GROUP)?.role !== 'leader' || !view) return
    const wanting = needsSurvey(view)
    if (wanting && ticking) {
      for (const { id } of directory.members) if (id !== ctx.node) ctx.send(actorId(id, CLUSTER_PATH), 'cluster_status', null)
    }
    if (wanting) this.#surveyor.take(ctx.node, { epoch: directory.epoch, rows: statusRows(host) })
    const command = planMeta(view, formation, wanting ? this.#surveyor.survey(view.epoch) : new Map(), hash)
    if (!command) return
    if (!this.#proposing.has('meta')) onLog('info', `meta: ${command.name}`, { epoch: view.epoch })
    this.#propose(ctx, 'meta', command)
  }

  /** What the others know of this node's address is what it was at its last boot. */
  #describeMyself(): void {
    const { directory, member, uid, version } = this.#deps
    const url = this.#url
    const known = directory.memberOf(member)
    if (!this.#ctx || url === '' || !known || directory.view.formation === null || (known.url === url && known.version === version)) return
    this.#propose(this.#ctx, 'update', { name: 'update_member', member, uid, url, version })
  }

  #noticeLeaving(replicas: ReadonlyMap<GroupId, LocalReplica>): void {
    const { directory, member, onLeft } = this.#deps
    if (this.#left || directory.view.formation === null || directory.memberOf(member) || replicas.size > 0) return
    this.#left = true
    onLeft()
  }

  #askAround(ctx: ActorContext, plan: LocalPlan, now: Millis): void {
    const { directory, host } = this.#deps
    const letters = new Map<NodeId, Letter>()
    const letterTo = (node: NodeId): Letter => {
      let letter = letters.get(node)
      if (!letter) letters.set(node, (letter = { takes: [], asks: [], offers: [] }))
      return letter
    }
    for (const row of plan.take) for (const node of this.#whereIs(row[0])) letterTo(node).takes.push(row)
    for (const row of plan.ask) for (const node of this.#whereIs(row[0])) letterTo(node).asks.push(row)
    for (const row of this.#leading.missing) {
      const node = directory.nodeOf(memberOf(row[1]))
      if (node !== null) letterTo(node).offers.push(row)
    }
    const meta = host.status(META_GROUP)
    const leader = meta?.leader ?? NOBODY
    // A leader that is in no table of ours is heard, but cannot be answered: only a newer table tells where it is.
    const stranger = leader !== NOBODY && directory.memberOf(memberOf(leader)) === null
    if (meta?.serving && leader !== NOBODY) this.#metaSeenAt = now
    const wantsView = !meta?.serving || stranger || now - this.#metaSeenAt >= META_SILENCE_MS
    if (wantsView) for (const node of directory.hostsOf(META_GROUP)) letterTo(node)
    letters.delete(ctx.node)
    for (const [node, letter] of letters) {
      const message = encodeRedistribute({ epoch: directory.epoch, ...letter, wantsView })
      ctx.send(actorId(node, RECONCILER_PATH), 'redistribute', message)
    }
  }

  /** The leader's node where it is known, else all that may know. */
  #whereIs(group: GroupId): readonly NodeId[] {
    const { directory, host } = this.#deps
    const leader = host.status(group)?.leader ?? NOBODY
    const node = leader === NOBODY ? null : directory.nodeOf(memberOf(leader))
    return [...new Set([...(node === null ? [] : [node]), ...directory.hostsOf(group)])]
  }

  #onRedistribute(envelope: Envelope, ctx: ActorContext): void {
    const message = decodeRedistribute(envelope.payload)
    if (!message) return
    const now = ctx.clock.now()
    for (const [group, replica] of message.takes) this.#leading.asked(group, replica, now)
    if (message.takes.length > 0) this.poke()
    const takes = message.offers.filter(([group, replica]) => this.#deps.host.replicaOf(group) === replica)
    if (takes.length > 0) {
      const answer = { epoch: this.#deps.directory.epoch, takes, asks: [], offers: [], wantsView: false }
      ctx.send(envelope.senderId, 'redistribute', encodeRedistribute(answer))
    }
    const outs = message.asks.flatMap(([group, replica]) => this.#leading.answer(group, replica, now))
    const view = message.wantsView ? this.#deps.metaView() : null
    const news = view && view.formation && view.epoch > message.epoch ? view : null
    if (outs.length > 0 || news)
      ctx.reply(envelope, 'redistribute_reply', encodeRedistributeReply({ epoch: message.epoch, outs, view: news }))
  }

  #onReply({ payload }: Envelope): void {
    const reply = decodeRedistributeReply(payload)
    if (!reply) return
    for (const [group, replica, term] of reply.epoch === this.#deps.directory.epoch ? reply.outs : []) {
      // A leader of the past does not know who has come since.
      if (this.#deps.host.replicaOf(group) === replica && term < (this.#deps.host.status(group)?.term ?? Infinity)) continue
      this.#out.add(replicaKey(group, replica))
    }
    if (reply.outs.length > 0) this.poke()
    if (reply.view) this.adopt(reply.view)
  }
}
