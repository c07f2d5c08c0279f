/** The actor around `formation-core.ts`: says what this node is until the cluster has formed, and to latecomers ever after. */
import type { Actor, ActorContext, ActorSystem } from '../actors/actor.ts'
import { type Envelope, type Plain, actorId } from '../actors/envelope.ts'
import type { Millis, NodeId } from '../base/ids.ts'
import { type Claim, FormationCore, type FormationSettings } from './formation-core.ts'
import { IdentityError } from './identity.ts'
import { isFormation } from './meta-machine-commands.ts'
import type { Formation, Identity, Member } from './types.ts'

export const FORMATION_PATH = 'formation'
const SAY_INTERVAL_MS: Millis = 250
const SECRET_BYTES = 32

export interface FormationOptions extends FormationSettings {
  readonly url: string
  readonly version: string
  /** Stores the formation durably before anybody hears of it. */
  readonly store: (formation: Formation, member: Member) => Promise<void>
  readonly onWaiting: (missing: readonly NodeId[]) => void
}

export interface Formed {
  readonly formation: Formation
  readonly member: Member
}

/** Resolves once this node belongs to a formed cluster; rejects with IdentityError where it must not, and where the disk does not take it. */
export function form(system: ActorSystem, identity: Identity, options: FormationOptions): Promise<Formed> {
  return new Promise((resolve, reject) => {
    system.spawn(FORMATION_PATH, new FormationActor(identity, options, resolve, reject))
  })
}

class FormationActor implements Actor {
  readonly #options: FormationOptions
  readonly #claim: Omit<Claim, 'formation'>
  readonly #core: FormationCore
  readonly #resolve: (formed: Formed) => void
  readonly #reject: (error: Error) => void
  #formation: Formation | null
  #storing = false
  #waitedFor = ''

  constructor(identity: Identity, options: FormationOptions, resolve: (formed: Formed) => void, reject: (error: Error) => void) {
    this.#options = options
    this.#claim = { id: identity.node, uid: identity.uid, url: options.url, version: options.version }
    this.#core = new FormationCore(identity, this.#claim, options)
    this.#formation = identity.formation
    this.#resolve = resolve
    this.#reject = reject
    const { formation, member, node: id, uid } = identity
    // Of one who joined later the formation knows nothing; what counts of it here is its number.
    const own: Member = { member: member ?? 0, id, uid, url: options.url, version: options.version, state: 'active' }
    if (formation && member !== null) resolve({ formation, member: own })
  }

  start(ctx: ActorContext): void {
    this.#say(ctx)
    if (!this.#formation) this.#step(ctx)
  }

  receive(envelope: Envelope, ctx: ActorContext): void {
    if (envelope.msgType === 'say') return this.#say(ctx)
    const claim = readClaim(envelope.payload)
    if (envelope.msgType !== 'formation_state' || !claim) return
    if (this.#formation) {
      if (!claim.formation) this.#tell(ctx, claim.id)
      return
    }
    this.#core.hear(claim)
    this.#step(ctx)
  }

  /** Speaks up every quarter second until the cluster has formed; afterwards only to those who ask. */
  #say(ctx: ActorContext): void {
    if (this.#formation) return
    for (const peer of this.#options.peers) if (peer !== ctx.node) this.#tell(ctx, peer)
    ctx.after(SAY_INTERVAL_MS, 'say')
  }

  #tell(ctx: ActorContext, peer: NodeId): void {
    const { id, uid, url, version } = this.#claim
    ctx.send(actorId(peer, FORMATION_PATH), 'formation_state', [id, uid, url, version, this.#formation as Plain])
  }

  #step(ctx: ActorContext): void {
    if (this.#storing) return
    const step = this.#core.step(hex(ctx.random.bytes(8)), hex(ctx.random.bytes(SECRET_BYTES)))
    if (step.type === 'refuse') return this.#reject(new IdentityError(step.reason))
    if (step.type === 'wait') {
      const key = step.missing.join()
      if (key !== this.#waitedFor) this.#options.onWaiting(step.missing)
      this.#waitedFor = key
      return
    }
    this.#storing = true
    const stored = (): void => {
      this.#formation = step.formation
      for (const peer of this.#options.peers) if (peer !== ctx.node) this.#tell(ctx, peer)
      this.#resolve({ formation: step.formation, member: step.member })
    }
    ctx.pipeToSelf(this.#options.store(step.formation, step.member), stored, this.#reject)
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function readClaim(payload: Plain): Claim | null {
  if (!Array.isArray(payload) || payload.length !== 5) return null
  const [id, uid, url, version, formation = null] = payload as readonly Plain[]
  if (typeof id !== 'string' || typeof uid !== 'string' || typeof url !== 'string' || typeof version !== 'string') return null
  return formation === null || isFormation(formation) ? { id, uid, url, version, formation } : null
}
