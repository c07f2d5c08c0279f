/**
 * The smallest machine that uses all a state machine may: a sum, registers with leases, and gates that commands wait at.
 * A command is JSON: {add}, {put, value, leaseMs}, {wait}, {open}, {explode}. A gate's waiters are let through in order.
 */
import type { Plain } from '../src/actors/envelope.ts'
import { assert } from '../src/base/assert.ts'
import type { ApplyContext, StateMachine, WriteRecord } from '../src/raft/machine.ts'

export interface ToyCommand {
  readonly add?: number
  readonly put?: string
  readonly value?: string
  readonly leaseMs?: number
  readonly wait?: string
  readonly open?: string
}

interface Register {
  readonly value: string
  readonly until: number
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const untext = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

export const toyCommand = (command: object): Uint8Array => text(JSON.stringify(command))

export class ToyMachine implements StateMachine {
  sum = 0
  readonly registers = new Map<string, Register>()
  readonly gates = new Map<number, string>()
  /** How often `apply` ran since boot. */
  applied = 0
  readonly #dirty = new Set<string>()

  apply(ctx: ApplyContext, ticket: number, command: Uint8Array): Plain | null {
    this.applied++
    const { add, put, value = '', leaseMs, wait, open } = JSON.parse(untext(command)) as ToyCommand
    if (add !== undefined) {
      this.sum += add
      this.#dirty.add('sum')
      ctx.emit({ sum: this.sum })
      return this.sum
    }
    if (put !== undefined) {
      this.registers.set(put, { value, until: leaseMs === undefined ? Infinity : ctx.time + leaseMs })
      this.#dirty.add(`r${put}`)
      return true
    }
    if (wait !== undefined) {
      this.gates.set(ticket, wait)
      this.#dirty.add(`g${ticket}`)
      return null
    }
    return open === undefined ? false : this.#open(ctx, open)
  }

  #open(ctx: ApplyContext, gate: string): number {
    let through = 0
    for (const [ticket, at] of this.gates) if (at === gate) this.#leave(ctx, ticket, ++through)
    return through
  }

  #leave(ctx: ApplyContext, ticket: number, reply: Plain): void {
    this.gates.delete(ticket)
    this.#dirty.add(`g${ticket}`)
    ctx.settle(ticket, reply)
  }

  cancel(ctx: ApplyContext, ticket: number): void {
    if (this.gates.has(ticket)) this.#leave(ctx, ticket, 'cancelled')
  }

  advance(ctx: ApplyContext): void {
    for (const [key, { until }] of this.registers) {
      if (until > ctx.time) continue
      this.registers.delete(key)
      this.#dirty.add(`r${key}`)
      ctx.emit({ expired: key })
    }
  }

  nextDeadline(): number {
    let next = Infinity
    for (const { until } of this.registers.values()) next = Math.min(next, until)
    return next
  }

  query(request: Plain): Plain {
    return request === 'sum' ? this.sum : (this.registers.get(String(request))?.value ?? null)
  }

  get dirty(): number {
    return this.#dirty.size
  }

  drain(write: WriteRecord, _writeCold: WriteRecord): void {
    for (const key of this.#dirty) write(text(key), this.#record(key))
    this.#dirty.clear()
  }

  #record(key: string): Uint8Array | null {
    if (key === 'sum') return text(String(this.sum))
    const gate = key.startsWith('g') ? this.gates.get(Number(key.slice(1))) : undefined
    const register = key.startsWith('r') ? this.registers.get(key.slice(1)) : undefined
    if (gate !== undefined) return text(gate)
    return register === undefined ? null : text(`${register.until} ${register.value}`)
  }

  load(key: Uint8Array, value: Uint8Array): void {
    const [name, content] = [untext(key), untext(value)]
    if (name === 'sum') this.sum = Number(content)
    else if (name.startsWith('g')) this.gates.set(Number(name.slice(1)), content)
    else this.registers.set(name.slice(1), { until: Number(content.split(' ')[0]), value: content.slice(content.indexOf(' ') + 1) })
  }

  loaded(): void {
    const gates = [...this.gates].sort(([a], [b]) => a - b)
    this.gates.clear()
    for (const [ticket, gate] of gates) this.gates.set(ticket, gate)
  }

  reset(): void {
    this.sum = 0
    this.registers.clear()
    this.gates.clear()
    this.#dirty.clear()
  }

  check(): void {
    assert(Number.isFinite(this.sum), 'the sum is no number')
  }
}
