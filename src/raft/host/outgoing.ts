/**
 * What the host sends in one turn: messages to peers, those of many groups gathered into one list per node and kind, and the
 * answers to proposers gathered into one envelope per address.
 *
 *   appends, append_responses, heartbeats, heartbeat_responses ──> a list each ──flush──> at most four envelopes per node
 *   news of commits ──> wait for such a list, at most until the next tick: a frame of their own would cost more than they say
 *   anything else ──> at once, behind what the node's lists hold: an order to take over must not overtake the append before it
 */
import type { ActorContext } from '../../actors/actor.ts'
import { type ActorId, type Plain, actorId } from '../../actors/envelope.ts'
import { assert } from '../../base/assert.ts'
import type { ErrorCode } from '../../base/errors.ts'
import { type GroupId, type NodeId, type ReplicaId, memberOf } from '../../base/ids.ts'
import type { AppendEntries, Heartbeat, HeartbeatResponse } from '../core/types.ts'
import type { Directory } from '../group-host.ts'
import { plainBytes } from '../plain.ts'
import { type DirectMessage, encodePeer, pushBeat, pushPeer } from './codec.ts'
import { RAFT_PATH } from './wire.ts'

/** A propose_reply leaves before it grows beyond this: a frame has a limit. */
const ANSWER_BYTES_MAX = 128 * 1024

/** So does a list of appends. */
const APPENDS_BYTES_MAX = 256 * 1024
/** Of an append and of each of its entries, besides the data. */
const TUPLE_BYTES = 48

/** For one node. */
interface Lists {
  appends: Plain[]
  /** About, of `appends`. */
  bytes: number
  responses: Plain[]
  beats: number[]
  beatResponses: number[]
  /** News of commits, of each group the latest. */
  readonly news: Map<GroupId, AppendEntries>
}

interface Answers {
  items: Plain[]
  /** Of the item last added to: answers come in runs. */
  group: GroupId
  client: number
  flat: Plain[]
  bytes: number
}

export class Outgoing {
  readonly #directory: Directory
  readonly #lists = new Map<NodeId, Lists>()
  readonly #answers = new Map<ActorId, Answers>()
  #ctx: ActorContext | null = null

  constructor(directory: Directory) {
    this.#directory = directory
  }

  bind(ctx: ActorContext): void {
    this.#ctx = ctx
  }

  get ctx(): ActorContext {
    assert(this.#ctx !== null, 'the host has not started')
    return this.#ctx
  }

  nodeOf(replica: ReplicaId): NodeId | null {
    return this.#directory.nodeOf(memberOf(replica))
  }

  /** To a peer of the group; lost where its node is unknown, like anything on the network. */
  peer(group: GroupId, message: DirectMessage | Heartbeat | HeartbeatResponse, traceparent = ''): void {
    const node = this.nodeOf(message.to)
    if (node === null) return
    const lists = this.#listsOf(node)
    if (message.type === 'heartbeat') pushBeat(lists.beats, group, message)
    else if (message.type === 'heartbeat_response') pushBeat(lists.beatResponses, group, message)
    else if (message.type === 'append_response') pushPeer(lists.responses, group, message)
    else if (message.type === 'append_entries' && traceparent === '') this.#append(node, lists, group, message)
    else {
      this.#sendNews(lists)
      this.#sendLists(node, lists)
      this.ctx.send(actorId(node, RAFT_PATH), message.type, encodePeer(group, message), traceparent)
    }
  }

  #append(node: NodeId, lists: Lists, group: GroupId, message: AppendEntries): void {
    if (message.mayWait) return void lists.news.set(group, message)
    // It says all that the older one would.
    lists.news.delete(group)
    let bytes = TUPLE_BYTES
    for (const { data } of message.entries) bytes += data.length + TUPLE_BYTES
    if (lists.bytes + bytes > APPENDS_BYTES_MAX) this.#sendLists(node, lists)
    pushPeer(lists.appends, group, message)
    lists.bytes += bytes
  }

  #listsOf(node: NodeId): Lists {
    let lists = this.#lists.get(node)
    if (lists === undefined) {
      this.#lists.set(node, (lists = { appends: [], bytes: 0, responses: [], beats: [], beatResponses: [], news: new Map() }))
    }
    return lists
  }

  #sendNews(lists: Lists): void {
    for (const [group, message] of lists.news) pushPeer(lists.appends, group, message)
    lists.news.clear()
  }

  #sendLists(node: NodeId, lists: Lists): void {
    const { appends, responses, beats, beatResponses } = lists
    if (appends.length > 0) this.toNode(node, 'append_entries', appends)
    if (responses.length > 0) this.toNode(node, 'append_response', responses)
    if (beats.length > 0) this.toNode(node, 'heartbeat', beats)
    if (beatResponses.length > 0) this.toNode(node, 'heartbeat_response', beatResponses)
    lists.appends = []
    lists.bytes = 0
    lists.responses = []
    lists.beats = []
    lists.beatResponses = []
  }

  toNode(node: NodeId, msgType: string, payload: Plain): void {
    this.ctx.send(actorId(node, RAFT_PATH), msgType, payload)
  }

  answer(to: ActorId, group: GroupId, client: number, sequence: number, status: number, reply: Plain): void {
    let answers = this.#answers.get(to)
    if (answers === undefined) this.#answers.set(to, (answers = { items: [], group: -1, client: -1, flat: [], bytes: 0 }))
    if (answers.group !== group || answers.client !== client) {
      answers.group = group
      answers.client = client
      answers.flat = []
      answers.items.push([group, client, answers.flat])
    }
    answers.flat.push(sequence, status, reply)
    answers.bytes += 10 + plainBytes(reply)
    if (answers.bytes >= ANSWER_BYTES_MAX) this.#sendAnswers(to, answers)
  }

  #sendAnswers(to: ActorId, answers: Answers): void {
    this.#answers.delete(to)
    this.ctx.send(to, 'propose_reply', answers.items)
  }

  refuse(to: ActorId, group: GroupId, client: number, parcel: number, code: ErrorCode, message: string): void {
    this.ctx.send(to, 'propose_refused', [group, client, parcel, code, message])
  }

  /** `all`: news of commits too, though nothing else goes where they do. */
  flush(all: boolean): void {
    for (const [node, lists] of this.#lists) {
      const { appends, responses, beats, beatResponses } = lists
      if (all || appends.length + responses.length + beats.length + beatResponses.length > 0) this.#sendNews(lists)
      this.#sendLists(node, lists)
    }
    for (const [to, answers] of this.#answers) this.#sendAnswers(to, answers)
  }
}
