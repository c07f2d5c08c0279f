/**
 * How a fresh node becomes a member of a cluster that runs: it asks one after the other of those it was told of and has
 * met, until one has it written into `meta`. Asking twice gives the same number, so nothing is lost by a lost answer or a
 * crash.
 */
import type { ActorSystem } from '../actors/actor.ts'
import { type Plain, actorId } from '../actors/envelope.ts'
import { TricordError } from '../base/errors.ts'
import type { Millis, NodeId } from '../base/ids.ts'
import { IdentityError } from './identity.ts'
import { isFormation } from './meta-machine-commands.ts'
import { decodeView } from './redistribute.ts'
import type { Formation, Identity, MetaView } from './types.ts'

export const CLUSTER_PATH = 'cluster'
const ASK_TIMEOUT_MS: Millis = 5_000
const PAUSE_MS: Millis = 250
/** Alone for longer than so many pauses: worth a word. */
const ALONE_PAUSES = 8

export interface JoinOptions {
  readonly seeds: readonly NodeId[]
  readonly url: string
  readonly version: string
  readonly onWaiting: (why: string) => void
}

export interface Joined {
  readonly formation: Formation
  readonly member: number
  readonly view: MetaView | null
}

/** Rejects with IdentityError where the cluster will not have this node. Waits for ever where nobody answers. */
export async function join(system: ActorSystem, { node, uid }: Identity, options: JoinOptions): Promise<Joined> {
  const seeds = options.seeds.filter((seed) => seed !== node)
  if (seeds.length === 0) throw new IdentityError('--join needs another node to ask: name one in cluster.peers')
  let waitedFor = ''
  const wait = (why: string): void => {
    if (why !== waitedFor) options.onWaiting(why)
    waitedFor = why
  }
  for (let at = 0, alone = 0; ; at++) {
    // In the first moments after a boot nobody was met yet: a question would be lost, and its answer waited for.
    const met = seeds.filter((seed) => system.peers.has(seed))
    const seed = met[at % met.length]
    if (seed === undefined) {
      if (++alone > ALONE_PAUSES) wait(`nobody is there of ${seeds.join(', ')}`)
    } else {
      const claim = [node, uid, options.url, options.version]
      const answer = await system.ask(actorId(seed, CLUSTER_PATH), 'join_cluster', claim, ASK_TIMEOUT_MS).catch(refusalOf)
      if (answer instanceof TricordError) {
        if (!answer.retryable) throw new IdentityError(`the cluster does not take ${node} in: ${answer.message}`)
        wait(`${seed}: ${answer.message}`)
      } else {
        const joined = read(answer.payload)
        if (joined) return joined
      }
    }
    await new Promise<void>((resolve) => system.clock.after(PAUSE_MS, resolve))
  }
}

function refusalOf(error: Error): TricordError {
  if (error instanceof TricordError) return error
  throw error
}

function read(payload: Plain): Joined | null {
  if (!Array.isArray(payload) || payload.length !== 3) return null
  const [formation, member, view] = payload as readonly Plain[]
  if (!isFormation(formation) || typeof member !== 'number') return null
  return { formation, member, view: decodeView(view ?? null) }
}
