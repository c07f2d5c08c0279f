/**
 * The actor `cache`: the face of a node's caches towards gateways, other nodes and homes.
 *
 *   gateway ──cache_call──▶ answers ──▶ operations ──▶ lines, logs
 *   node, home ──cache_read, cache_write, cache_invalidate──▶ coherence
 */
import type { Actor, ActorContext } from '../../actors/actor.ts'
import type { Envelope, Plain } from '../../actors/envelope.ts'
import { TricordError } from '../../base/errors.ts'
import { CACHE_ANSWER, CACHE_CALL, type CacheCall, answered, isCall, refusedAnswer } from '../calls.ts'
import type { Coherence } from './coherence.ts'

export type AnswerCall = (call: CacheCall) => unknown

export class CacheActor implements Actor {
  readonly #coherence: Coherence
  readonly #answer: AnswerCall

  constructor(coherence: Coherence, answer: AnswerCall) {
    this.#coherence = coherence
    this.#answer = answer
  }

  receive(envelope: Envelope, ctx: ActorContext): void {
    if (envelope.msgType !== CACHE_CALL) return this.#coherence.receive(envelope)
    if (!isCall(envelope.payload)) return ctx.fail(envelope, 'INVALID_ARGUMENT', 'the cache has no such call, or it takes other arguments')
    const reply = (payload: Plain): void => ctx.reply(envelope, CACHE_ANSWER, payload)
    const refuse = (error: unknown): void => {
      if (!(error instanceof TricordError)) throw error
      reply(refusedAnswer(error))
    }
    let value: unknown
    try {
      value = this.#answer(envelope.payload)
    } catch (error) {
      return refuse(error)
    }
    if (value instanceof Promise) ctx.pipeToSelf(value, (whole) => reply(answered(whole)), refuse)
    else reply(answered(value))
  }

  stop(): void {
    this.#coherence.close()
  }
}
