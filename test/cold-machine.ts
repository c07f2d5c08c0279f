/**
 * A toy machine with cold records: notes whose text is in the store alone. A command is JSON: {add}: what the toy machine
 * does; {note, text}: keep it; {read: name}: reply with the names, the text is attached; {drop}; {await: name}: answered
 * with the note when it comes. A reply that leaves a text out is {note: name}; attached it is {note, text, durableOn}.
 */
import type { Plain } from '../src/actors/envelope.ts'
import { assert } from '../src/base/assert.ts'
import type { ApplyContext, AttachContext, WriteRecord } from '../src/raft/machine.ts'
import { ToyMachine } from './toy-machine.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (from: Uint8Array): string => new TextDecoder().decode(from)

export interface ColdCommand {
  readonly note?: string
  readonly text?: string
  readonly read?: string
  readonly drop?: string
  readonly await?: string
}

export class ColdMachine extends ToyMachine {
  /** The index of the entry that made each. */
  readonly notes = new Map<string, number>()
  /** Not yet drained. */
  readonly fresh = new Map<string, string>()
  readonly #waiting = new Map<string, number[]>()
  readonly #changed = new Set<string>()
  #dropped: string[] = []
  /** How often a text was put into a reply. */
  attached = 0

  override apply(ctx: ApplyContext, ticket: number, command: Uint8Array): Plain | null {
    const { note, text: content = '', read, drop, await: awaited } = JSON.parse(text(command)) as ColdCommand
    if (note !== undefined) return this.#note(ctx, note, content)
    if (drop !== undefined) return this.#drop(drop)
    const name = read ?? awaited
    if (name === undefined) return super.apply(ctx, ticket, command)
    if (this.notes.has(name)) return { note: name }
    if (read !== undefined) return false
    this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), ticket])
    this.#changed.add(`w${name}`)
    return null
  }

  override cancel(ctx: ApplyContext, ticket: number): void {
    for (const [name, tickets] of this.#waiting) {
      const left = tickets.filter((one) => one !== ticket)
      if (left.length === tickets.length) continue
      if (left.length === 0) this.#waiting.delete(name)
      else this.#waiting.set(name, left)
      this.#changed.add(`w${name}`)
      return ctx.settle(ticket, 'cancelled')
    }
    super.cancel(ctx, ticket)
  }

  #note(ctx: ApplyContext, name: string, content: string): Plain {
    this.#drop(name)
    this.notes.set(name, ctx.index)
    this.fresh.set(this.#keyOf(name), content)
    this.#changed.add(`n${name}`)
    for (const ticket of this.#waiting.get(name) ?? []) ctx.settle(ticket, { note: name })
    if (this.#waiting.delete(name)) this.#changed.add(`w${name}`)
    return { note: name }
  }

  #drop(name: string): boolean {
    if (!this.notes.has(name)) return false
    const key = this.#keyOf(name)
    if (!this.fresh.delete(key)) this.#dropped.push(key)
    this.notes.delete(name)
    this.#changed.add(`n${name}`)
    return true
  }

  /** Each text has a key of its own: a note that is written again is another. */
  #keyOf(name: string): string {
    return `${name}@${this.notes.get(name)}`
  }

  /** Where the text of a note is, in the space of the cold records. */
  keyOf(name: string): Uint8Array {
    return bytes(this.#keyOf(name))
  }

  override query(request: Plain): Plain {
    const name = typeof request === 'string' && request.startsWith('note ') ? request.slice(5) : null
    if (name === null) return super.query(request)
    return this.notes.has(name) ? { note: name } : null
  }

  attach(reply: Plain, context: AttachContext): Plain | Promise<Plain> {
    const { note } = (typeof reply === 'object' && reply !== null ? reply : {}) as { readonly note?: string }
    if (note === undefined) return reply
    const index = this.notes.get(note)
    if (index === undefined) return { note, gone: true }
    const key = this.#keyOf(note)
    const whole = (content: string): Plain => {
      this.attached++
      return { note, text: content, durableOn: context.durableOn(index) }
    }
    const fresh = this.fresh.get(key)
    if (fresh !== undefined) return whole(fresh)
    const done = ([value]: readonly (Uint8Array | undefined)[]): Plain => {
      if (value !== undefined) return whole(text(value))
      assert(this.notes.get(note) !== index, `the text of ${note} is gone`)
      return { note, gone: true }
    }
    const got = context.cold.get([bytes(key)])
    return got instanceof Promise ? got.then(done) : done(got)
  }

  override get dirty(): number {
    return super.dirty + this.#changed.size + this.fresh.size + this.#dropped.length
  }

  get dirtyBytes(): number {
    let sum = 0
    for (const content of this.fresh.values()) sum += content.length
    return sum
  }

  override drain(write: WriteRecord, writeCold: WriteRecord): void {
    super.drain(write, writeCold)
    for (const changed of this.#changed) write(bytes(`c${changed}`), this.#recordOf(changed[0]!, changed.slice(1)))
    for (const [key, content] of this.fresh) writeCold(bytes(key), bytes(content))
    for (const key of this.#dropped) writeCold(bytes(key), null)
    this.#changed.clear()
    this.fresh.clear()
    this.#dropped = []
  }

  #recordOf(kind: string, name: string): Uint8Array | null {
    const value = kind === 'n' ? this.notes.get(name) : this.#waiting.get(name)?.join()
    return value === undefined ? null : bytes(String(value))
  }

  override load(key: Uint8Array, value: Uint8Array): void {
    const name = text(key)
    if (name.startsWith('cn')) this.notes.set(name.slice(2), Number(text(value)))
    else if (name.startsWith('cw')) this.#waiting.set(name.slice(2), text(value).split(',').map(Number))
    else super.load(key, value)
  }

  override reset(): void {
    super.reset()
    for (const all of [this.notes, this.fresh, this.#waiting, this.#changed]) all.clear()
    this.#dropped = []
  }
}
