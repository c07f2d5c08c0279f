/**
 * What the host sends in one turn: messages to peers, their heartbeats gathered into one list per node, and the
 * answers to proposers gathered into one envelope per address.
 */
import type { ActorContext } from '../../actors/actor.ts'
import { type ActorId, type Plain, actorId } from '../../actors/envelope.ts'
import { assert } from '../../base/assert.ts'
import type { ErrorCode } from '../../base/errors.ts'
import { type GroupId, type NodeId, type ReplicaId, memberOf } from '../../base/ids.ts'
import type { Heartbeat, HeartbeatResponse } from '../core/types.ts'
import type { Directory } from '../group-host.ts'
import { plainBytes } from '../plain.ts'
import { type DirectMessage, encodePeer, pushBeat } from './codec.ts'
import { RAFT_PATH } from './wire.ts'

/** A propose_reply leaves before it grows beyond this: a frame has a limit. */
const ANSWER_BYTES_MAX = 128 * 1024

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
  readonly #beats = new Map<NodeId, number[]>()
  readonly #beatResponses = new Map<NodeId, number[]>()
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
    if (message.type !== 'heartbeat' && message.type !== 'heartbeat_response') {
      this.ctx.send(actorId(node, RAFT_PATH), message.type, encodePeer(group, message), traceparent)
      return
    }
    const lists = message.type === 'heartbeat' ? this.#beats : this.#beatResponses
    let list = lists.get(node)
    if (list === undefined) lists.set(node, (list = []))
    pushBeat(list, group, message)
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

  flush(): void {
    for (const [node, list] of this.#beats) this.toNode(node, 'heartbeat', list)
    for (const [node, list] of this.#beatResponses) this.toNode(node, 'heartbeat_response', list)
    this.#beats.clear()
    this.#beatResponses.clear()
    for (const [to, answers] of this.#answers) this.#sendAnswers(to, answers)
  }
}
