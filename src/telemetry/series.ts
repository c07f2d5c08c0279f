/** Series that tell of numbers kept elsewhere, read when somebody scrapes. */
import { Counter, Gauge, type Registry } from 'prom-client'
import type { ActorSystemStats } from '../actors/actor.ts'

export function gauge(registry: Registry, name: string, help: string, labelNames: string[] = []): Gauge {
  return new Gauge({ name, help, labelNames, registers: [registry] })
}

/** A counter that follows a number kept elsewhere; a restart of that number is a restart of the counter. */
export function following(
  registry: Registry,
  name: string,
  help: string,
  labelNames: string[] = [],
): (value: number, labels?: Record<string, string>) => void {
  const counter = new Counter({ name, help, labelNames, registers: [registry] })
  const last = new Map<string, number>()
  return (value, labels = {}) => {
    const key = Object.values(labels).join('\u0000')
    counter.inc(labels, Math.max(0, value - (last.get(key) ?? 0)))
    last.set(key, value)
  }
}

/** Of one actor system. `whose` ends the help texts: empty, or with a blank before it. */
export function systemSeries(registry: Registry, prefix: string, whose: string): (stats: ActorSystemStats) => void {
  const envelopes = following(registry, `${prefix}_envelopes_total`, `Actor messages${whose}`, ['direction'])
  const frames = following(registry, `${prefix}_frames_total`, `Transport frames${whose}`, ['direction'])
  const dead = following(registry, `${prefix}_dead_letters_total`, `Messages dropped${whose}, by reason`, ['reason'])
  const mailbox = gauge(registry, `${prefix}_mailbox_length`, `Messages waiting for an actor${whose}`, ['actor'])
  return (stats) => {
    envelopes(stats.envelopesIn, { direction: 'in' })
    envelopes(stats.envelopesOut, { direction: 'out' })
    frames(stats.framesIn, { direction: 'in' })
    frames(stats.framesOut, { direction: 'out' })
    for (const [reason, count] of Object.entries(stats.deadLetters)) dead(count, { reason })
    mailbox.reset()
    for (const [actor, length] of Object.entries(stats.mailboxes)) mailbox.set({ actor }, length)
  }
}
