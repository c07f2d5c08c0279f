/**
 * What must not last, where nothing is under way that ends it:
 *  - A line that the log has given to a node which does not know it. As long as nobody asks for the line it would be pinned, for the home
 *    takes back by itself only what a session that is over had. Whoever waits for an answer asks again: that is not at rest.
 *  - A holder that was told that it is none any more: the next home would wait for it.
 */
import type { Owner } from '../home.ts'
import type { ToNode } from '../protocol.ts'
import type { HomePart } from './home-part.ts'
import type { Network, Packet } from './network.ts'
import { LINE, type NodePart, stepNode } from './node-part.ts'
import { registerAt } from './register.ts'
import { nameOf } from './row.ts'
import { ALL_RULES } from './settings.ts'

/** Who has the line by the home, where nothing of it is under way there: in the log, in a queue, or taken back. */
export function restingOwner(home: HomePart): Owner | null {
  let owner = owners.get(home)
  if (owner === undefined) owners.set(home, (owner = findOwner(home)))
  return owner
}

const owners = new WeakMap<HomePart, Owner | null>()

function findOwner({ log, applied, state }: HomePart): Owner | null {
  const line = state.lines.get(LINE)
  if (!line?.owner || line.busy || line.step || applied < log.length) return null
  const { owner } = line
  const isLive = state.peers.get(owner.node)?.sid === owner.sid
  return isLive && registerAt(log, applied, ALL_RULES).own === owner.own ? owner : null
}

/** It has told the node that it holds nothing by the log, and counts it among the holders. */
export function countsWhoLeft({ log, applied, state }: HomePart, { node, session }: NodePart): boolean {
  return session.hasLeft && applied === log.length && state.holders.has(node) && state.peers.get(node)?.left === session.leaving
}

export function isPinned(owner: Owner, term: number, part: NodePart, network: Network, set: number, now: number): boolean {
  const { session, owned, fetches } = part
  if (session.term !== term || session.sid !== owner.sid || now >= session.leaseUntil) return false
  if (owned.get(LINE)?.own === owner.own || fetches.get(LINE)?.rid === owner.rid) return false
  return network.packetsOf(set).every((number) => !ends(network.packet(number), owner, part, now))
}

/** It is over by this message, or will be by what the node says to it. */
function ends(packet: Packet, { own }: Owner, part: NodePart, now: number): boolean {
  const { node, message } = packet
  if ((message.type !== 'release' && message.type !== 'dataX') || message.own !== own || part.node !== nameOf(node)) return false
  return message.type === 'release' || isDeclined(message, part, now)
}

function isDeclined(message: Extract<ToNode, { type: 'dataX' }>, part: NodePart, now: number): boolean {
  let known = declined.get(part)
  if (known === undefined) declined.set(part, (known = new Map()))
  let found = known.get(message)
  if (found === undefined) {
    const [, { sent }] = stepNode(part, now, (controller) => controller.receive('home', message, now))
    known.set(message, (found = sent.some((said) => said.type === 'release' && said.own === message.own)))
  }
  return found
}

/** In a session that lasts; when that is makes no difference. */
const declined = new WeakMap<NodePart, Map<ToNode, boolean>>()
