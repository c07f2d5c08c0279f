/** A client of the busy locks: waits, renews, holds under sessions, gives waits up, and walks away from what it holds. */
import type { GrantView, LockCommand, SessionProof } from '../lock/types.ts'
import type { Dice } from './dice.ts'
import { type ClientContext, LEASED_PREFIX, type LockAnswer, NAMESPACE, busyNames } from './lock-workload.ts'
import type { Client } from './workload.ts'

const HELD_MAX = 4

export class BusyClient implements Client {
  readonly #id: string
  readonly #proof: string
  readonly #dice: Dice
  readonly #context: ClientContext
  readonly #held: GrantView[] = []
  #session: SessionProof | null = null
  #operations = 0

  constructor(id: string, dice: Dice, context: ClientContext) {
    this.#id = id
    this.#proof = `proof-${id}`
    this.#dice = dice
    this.#context = context
  }

  act(done: () => void): void {
    this.#operations++
    const grant = this.#held[0]
    const turn = this.#dice.next()
    if (grant && (turn < 0.35 || this.#held.length >= HELD_MAX)) return this.#release(grant, done)
    if (grant && turn < 0.5) return this.#renew(grant, done)
    if (grant && turn < 0.55) {
      this.#held.shift()
      return done()
    }
    if (turn < 0.63) return this.#keepSession(done)
    if (turn < 0.66 && this.#session) return this.#closeSession(this.#session, done)
    return this.#acquire(done)
  }

  #run(command: LockCommand, waitMs: number, done: (answer: LockAnswer) => void): void {
    const { attempts, options } = this.#context
    const key = this.#dice.chance(options.retryShare) ? `${this.#id}/${this.#operations}` : ''
    const cancelAfterMs = waitMs > 0 && this.#dice.chance(0.1) ? this.#dice.next() * waitMs : Infinity
    attempts.run(command, { timeoutMs: options.timeoutMs + waitMs, key, cancelAfterMs }, done)
  }

  #acquire(done: () => void): void {
    const { options, history, grants } = this.#context
    const session = this.#session && this.#dice.chance(0.3) ? this.#session : null
    const owner = `${session ? 's-' : LEASED_PREFIX}${this.#id}-${this.#operations}`
    const waitMs = this.#dice.chance(0.6) ? Math.floor(this.#dice.next() * options.waitMaxMs) : 0
    const names = this.#dice.shuffle(busyNames(options)).slice(0, this.#dice.chance(0.15) ? 2 : 1)
    const shared = this.#dice.chance(options.sharedShare)
    const command: LockCommand = {
      type: 'lock_acquire',
      namespace: NAMESPACE,
      items: names.map((name) => ({ name, mode: shared ? 'shared' : 'exclusive' })),
      session,
      implicitProof: session ? '' : this.#proof,
      owner,
      waitMs,
      leaseMs: options.busyLeaseMs,
      priority: 0,
      reentrant: false,
      metadata: null,
    }
    const askedAt = grants.time
    this.#run(command, waitMs, (answer) => {
      if (answer.type === 'refused' && answer.code === 'SESSION_EXPIRED') this.#session = null
      if (answer.type === 'reply' && answer.reply.type === 'granted') {
        for (const grant of answer.reply.grants) {
          history.granted(grant.token, owner)
          if (!session) grants.acknowledged(grant.grantId, askedAt, options.busyLeaseMs)
          this.#held.push(grant)
        }
      }
      done()
    })
  }

  /** How the owner of a grant proves itself: by its session, or by the grant's id alone. */
  #claim(grant: GrantView): SessionProof | null {
    return grant.owner.startsWith(LEASED_PREFIX) ? null : { id: grant.session, proof: this.#proof }
  }

  #release(grant: GrantView, done: () => void): void {
    this.#held.shift()
    const { name, grantId } = grant
    this.#context.grants.ending(grantId)
    this.#run({ type: 'lock_release', namespace: NAMESPACE, name, grantId, session: this.#claim(grant) }, 0, done)
  }

  #renew(grant: GrantView, done: () => void): void {
    const { name, grantId } = grant
    this.#run({ type: 'lock_renew', namespace: NAMESPACE, name, grantId, session: this.#claim(grant), leaseMs: null }, 0, (answer) => {
      if (answer.type === 'refused') this.#held.splice(this.#held.indexOf(grant), 1)
      done()
    })
  }

  #keepSession(done: () => void): void {
    const session = this.#session
    const command: LockCommand = session
      ? { type: 'session_keepalive', session }
      : {
          type: 'session_open',
          namespace: NAMESPACE,
          proof: this.#proof,
          ttlMs: this.#context.options.busyLeaseMs,
          lingers: false,
          name: '',
          metadata: null,
        }
    this.#run(command, 0, (answer) => {
      if (answer.type === 'reply' && answer.reply.type === 'opened') this.#session = { id: answer.reply.session, proof: this.#proof }
      if (answer.type === 'refused') this.#session = null
      done()
    })
  }

  #closeSession(session: SessionProof, done: () => void): void {
    this.#session = null
    this.#run({ type: 'session_close', session }, 0, () => done())
  }
}
