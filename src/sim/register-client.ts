/**
 * A client of the register locks: acquires without waiting, looks, releases. It lets go of what it holds, and also of
 * what an abandoned operation may hold, once a look has shown it: so the register does not end up held for ever.
 */
import type { AcquireCommand } from '../lock/types.ts'
import type { Running } from './cluster.ts'
import type { Dice } from './dice.ts'
import { type ClientContext, LEASED_PREFIX, type LockAnswer, NAMESPACE, registerNames } from './lock-workload.ts'
import type { Client } from './workload.ts'

const LEASE_MS = 3_600_000
/** Numbers are per client: client * this + operation. */
const OPERATIONS_PER_CLIENT = 1_000_000

interface Held {
  readonly name: string
  readonly token: number
  readonly grantId: string
}

export class RegisterClient implements Client {
  readonly #id: string
  readonly #number: number
  readonly #dice: Dice
  readonly #context: ClientContext
  readonly #abandoned = new Set<string>()
  #held: Held | null = null
  #operations = 0

  constructor(id: string, dice: Dice, context: ClientContext) {
    this.#id = id
    this.#number = Number(id.slice(1))
    this.#dice = dice
    this.#context = context
  }

  act(done: () => void): void {
    const { options } = this.#context
    if (this.#operations >= options.registerOpsMax) return void this.#context.cluster.world.at(200, 'client rests', done)
    this.#operations++
    const name = this.#dice.pick(registerNames(options))
    if (this.#dice.chance(0.25)) this.#look(name, done)
    else if (this.#held) this.#release(this.#held, done)
    else this.#acquire(name, done)
  }

  #nextOperation(): { readonly number: number; readonly key: string } {
    const number = this.#number * OPERATIONS_PER_CLIENT + this.#operations
    const keyed = this.#dice.chance(this.#context.options.retryShare)
    return { number, key: keyed ? `${this.#id}/${number}` : '' }
  }

  #run(command: Parameters<ClientContext['attempts']['run']>[0], key: string, done: (answer: LockAnswer) => void): void {
    const { attempts, options } = this.#context
    attempts.run(command, { timeoutMs: options.timeoutMs, key, cancelAfterMs: Infinity }, done)
  }

  #acquire(name: string, done: () => void): void {
    const { history, grants } = this.#context
    const { number, key } = this.#nextOperation()
    const owner = `${LEASED_PREFIX}${this.#id}-${number}`
    const open = history.begin(name)
    const askedAt = grants.time
    this.#run(acquireCommand(name, owner), key, (answer) => {
      if (answer.type === 'reply' && answer.reply.type === 'granted') {
        const grant = answer.reply.grants[0]
        if (!grant) throw new Error('a grant of nothing')
        history.end(open, { kind: 'acquire', id: number, result: grant.token }, true)
        history.granted(grant.token, owner)
        grants.acknowledged(grant.grantId, askedAt, LEASE_MS)
        this.#held = { name, token: grant.token, grantId: grant.grantId }
      } else if (answer.type === 'refused') {
        if (answer.code !== 'LOCK_HELD') throw new Error(`acquire was refused with ${answer.code}`)
        history.end(open, { kind: 'acquire', id: number, result: 'held' }, true)
      } else if (answer.type === 'unknown') {
        this.#abandoned.add(owner)
        history.end(open, { kind: 'acquire', id: number, result: 'unknown' }, false)
      }
      done()
    })
  }

  #release({ name, token, grantId }: Held, done: () => void): void {
    const { history, grants } = this.#context
    const { key } = this.#nextOperation()
    this.#held = null
    grants.ending(grantId)
    const open = history.begin(name)
    this.#run({ type: 'lock_release', namespace: NAMESPACE, name, grantId, session: null }, key, (answer) => {
      if (answer.type === 'reply') history.end(open, { kind: 'release', token, result: 'released' }, true)
      else if (answer.type === 'refused') history.end(open, { kind: 'release', token, result: 'gone' }, true)
      else if (answer.type === 'unknown') history.end(open, { kind: 'release', token, result: 'unknown' }, false)
      else this.#held = { name, token, grantId }
      done()
    })
  }

  #look(name: string, done: () => void): void {
    const { attempts, history, options } = this.#context
    const open = history.begin(name)
    const { timeoutMs } = options
    const read = ({ locks }: Running) => locks.status(NAMESPACE, name, { timeoutMs, consistency: 'linearizable' })
    attempts.look(read, timeoutMs, (seen) => {
      if (seen === null) return done()
      const { token = 0, grantId = '', owner = '' } = seen.holders[0] ?? {}
      history.end(open, { kind: 'status', token }, true)
      if (!this.#abandoned.has(owner) || this.#held) return done()
      this.#held = { name, token, grantId }
      done()
    })
  }
}

function acquireCommand(name: string, owner: string): AcquireCommand {
  return {
    type: 'lock_acquire',
    namespace: NAMESPACE,
    items: [{ name, mode: 'exclusive' }],
    session: null,
    implicitProof: 'proof',
    owner,
    waitMs: 0,
    leaseMs: LEASE_MS,
    priority: 0,
    reentrant: false,
    metadata: null,
  }
}
