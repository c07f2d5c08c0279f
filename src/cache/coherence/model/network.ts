/**
 * The network of the model: a set of messages that only grows, so that losing, doubling and delaying are all there. Sets are
 * known by numbers.
 */
import type { ToHome, ToNode } from '../protocol.ts'
import type { Flushed, HomePart } from './home-part.ts'
import type { Flush, NodePart, Release } from './node-part.ts'
import { LINE } from './node-part.ts'
import { Numbers } from './plain.ts'
import type { Entry } from './register.ts'
import { nameOf } from './row.ts'

export type Packet = { readonly node: number; readonly term: number } & (
  | { readonly message: ToNode | Flushed; readonly up: false }
  | { readonly message: ToHome | Flush | Release; readonly up: true }
)

/** The set with nothing in it. */
export const EMPTY = 0
const PACKETS_MAX = 2 ** 20

/** What a node wants in the log. */
export function entryOf(message: Flush | Release, node: number): Entry {
  let entry = entries.get(message)
  if (entry === undefined) {
    entry = message.type === 'flush' ? { ...message, node: nameOf(node) } : { ...message, by: 0, term: 0 }
    entries.set(message, entry)
  }
  return entry
}

const entries = new WeakMap<Flush | Release, Entry>()

/** It can do nothing any more: neither to the node, nor to the home of its term. `isReleased`: the node has said that already. */
export function isDead(
  { message }: Packet,
  { session, fetches }: NodePart,
  home: HomePart | null,
  isReleased: (own: number) => boolean,
): boolean {
  switch (message.type) {
    case 'invAck':
      return home !== null && home.state.lines.get(LINE)?.busy?.t !== message.t
    case 'dataS':
    case 'dataU':
      return fetches.get(LINE)?.rid !== message.rid
    case 'dataX':
      // In its session, who has not asked for it gives it back, each time.
      if (fetches.get(LINE)?.rid === message.rid) return false
      return session.sid !== message.sid || session.term > message.term || isReleased(message.own)
    case 'opened':
    case 'renewed':
      return session.sends.every(({ n }) => n !== message.n)
    case 'left':
      return session.hasLeft || session.leaving !== message.n
    default:
      return false
  }
}

export class Network {
  private readonly packets = new Numbers<Packet>()
  private readonly sets = new Numbers<readonly number[]>()
  /** A set and a packet -> the set that has it, too. */
  private readonly grown = new Map<number, number>()

  constructor() {
    this.sets.of('', () => [])
  }

  packetsOf(set: number): readonly number[] {
    return this.sets.get(set)
  }

  packet(number: number): Packet {
    return this.packets.get(number)
  }

  numberOf(packet: Packet): number {
    return this.packets.of(JSON.stringify(packet), () => packet)
  }

  with(set: number, packets: readonly number[]): number {
    let grown = set
    for (const packet of packets) {
      const key = grown * PACKETS_MAX + packet
      let next = this.grown.get(key)
      if (next === undefined) {
        const all = this.sets.get(grown)
        const sorted = all.includes(packet) ? all : [...all, packet].sort((a, b) => a - b)
        next = this.sets.of(sorted.join(), () => sorted)
        this.grown.set(key, next)
      }
      grown = next
    }
    return grown
  }

  /** For messages that can do nothing any more. */
  without(set: number, isDead: (packet: Packet, isReleased: (own: number) => boolean) => boolean): number {
    const all = this.sets.get(set)
    const kept = all.filter((number) => {
      const packet = this.packets.get(number)
      return !isDead(packet, (own) => all.some((other) => isReleaseOf(this.packets.get(other), packet.node, own)))
    })
    return kept.length === all.length ? set : this.sets.of(kept.join(), () => kept)
  }
}

function isReleaseOf({ node: from, message }: Packet, node: number, own: number): boolean {
  return message.type === 'release' && message.own === own && from === node
}
