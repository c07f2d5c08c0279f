/**
 * The cache machine and the naive model side by side: the same commands to both, and everything that can be seen compared
 * after each step. Copies of the machine, made of its records in shuffled order, must go on alike and write the same bytes;
 * now and then one takes the place of the machine it was made from.
 */
import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import { configLine, entryLine } from '../../src/cache/line-id.ts'
import type { CacheCommand, CacheReply, LineVersion, PutCommand, Share } from '../../src/cache/machine/commands.ts'
import type { Condition, EntryName } from '../../src/cache/types.ts'
import { shuffle, sorted } from '../records.ts'
import { Bed, SHARE } from './bed.ts'
import { NaiveModel, type NaiveOwner } from './naive-model.ts'
import { CACHES, KEYS, LINES, type Step } from './steps.ts'

const TEXT = new TextEncoder()
const ALL_LINES = [
  ...CACHES.flatMap(({ namespace, cache }) => [configLine(namespace, cache), ...KEYS.map((key) => entryLine(namespace, cache, key))]),
  ...LINES,
]
/** Of some entries. */
const ROOM_SMALL = 10_000

type CommandStep = Exclude<Step, { type: 'pass' | 'cancel' | 'copy' | 'reload' }>
/** Of the tags of what is there: as it carries them, or others. */
type Known = Extract<Step, { type: 'put' }>['known']
type Reload = Extract<Step, { type: 'reload' }>

export class Run {
  bed = new Bed()
  readonly model = new NaiveModel()
  copied: Bed | null = null
  readonly #seen: Map<string, number>
  #settled = 0
  #changes = 0
  readonly #owners: { readonly line: string; readonly own: number }[] = []

  constructor(seen: Map<string, number>) {
    this.#seen = seen
  }

  take(next: Step): void {
    if (next.type === 'reload') {
      for (const each of reload(next)) this.take(each)
      return
    }
    if (next.type === 'pass') {
      this.bed.pass(next.ms)
      this.copied?.pass(next.ms)
      this.model.advance(this.bed.time)
    } else if (next.type === 'cancel') {
      const ticket = this.bed.ticket - next.back
      this.bed.cancel(ticket)
      this.copied?.cancel(ticket)
      this.model.advance(this.bed.time)
      this.model.cancel(ticket)
    } else if (next.type === 'copy') {
      this.#copy(next.seed, next.instead)
    } else {
      this.#command(this.#commandOf(next))
    }
    this.#compare()
  }

  compareStores(): void {
    this.bed.drain()
    if (this.copied === null) return
    this.copied.drain()
    same(sorted(this.copied.store), sorted(this.bed.store), 'records')
  }

  #copy(seed: number, instead: boolean): void {
    this.compareStores()
    // The bed of the copy before is used again, as a replica is that gets a snapshot.
    const copied = this.bed.copy((keys) => shuffle(keys, seed), this.copied ?? new Bed())
    this.copied = copied
    this.#see('copied')
    if (!instead) return
    copied.settledLog = [...this.bed.settledLog]
    copied.changes.push(...this.bed.changes)
    this.bed = copied
    this.copied = null
  }

  #command(command: CacheCommand): void {
    const reply = this.bed.run(command)
    // What was released may be overdue.
    this.model.advance(this.bed.time)
    same(plain(reply), plain(this.model.run(this.bed.ticket, command)), command.type)
    if (this.copied !== null) same(this.copied.run(command), reply, `${command.type} at the copy`)
    this.#note(reply, '')
    if (command.type === 'cache_own' && reply?.type === 'own') this.#owners.unshift({ line: command.line, own: reply.own })
  }

  #note(reply: CacheReply | null, late: string): void {
    this.#see(late + (reply === null ? 'waits' : reply.type === 'refused' ? reply.code : reply.type))
    if (reply?.type === 'put' && !reply.created) this.#see('replaced')
    if (reply?.type === 'deleted' && !reply.existed) this.#see('nothing deleted')
    if (reply?.type === 'invalidated' && reply.removed > 0) this.#see('invalidated some')
    if (reply?.type === 'swept' && reply.removed > 0) this.#see('swept some')
    if ((reply?.type === 'swept' || reply?.type === 'invalidated') && reply.owned.length > 0) this.#see('met an owner')
    if (reply?.type === 'released' && reply.released) this.#see('really released')
  }

  #see(kind: string): void {
    this.#seen.set(kind, (this.#seen.get(kind) ?? 0) + 1)
  }

  #compare(): void {
    const { bed, model, copied } = this
    const late = bed.settledLog.slice(this.#settled)
    const told = ({ ticket, reply }: { ticket: number; reply: CacheReply }) => [ticket, plain(reply)]
    same(late.map(told), model.settledLog.slice(this.#settled).map(told), 'late answers')
    for (const { reply } of late) this.#note(reply, 'late ')
    this.#settled = bed.settledLog.length
    const changes = bed.changes.slice(this.#changes)
    same(changes, model.changes.slice(this.#changes), 'changes')
    for (const { reason } of changes) this.#see(`change: ${reason}`)
    this.#changes = bed.changes.length
    if (copied !== null) {
      same(copied.settledLog.splice(0), late, 'late answers of the copy')
      same(copied.changes.splice(0), changes, 'changes of the copy')
    }
    for (const each of copied === null ? [bed] : [bed, copied]) {
      for (const line of ALL_LINES) same(each.machine.read(line, each.time), model.read(line), `what ${line} holds`)
      for (const name of CACHES) {
        same(each.machine.query({ type: 'cache_status', ...name }, each.time), model.status(name), `the status of ${name.cache}`)
      }
      same(each.machine.holders(), [...model.nodes].sort(), 'the holders')
      same(each.machine.owners().map(ownerOf), model.owners.map(ownerOf), 'the owners')
      same(each.machine.version, model.version, 'the version')
      for (const line of LINES) same(each.machine.unsweptOf(line), model.unsweptOf(line), `what is left of ${line}`)
      same(each.machine.unswept().toSorted(), [...model.unswept.keys()].toSorted(), 'what is left')
      same(each.machine.nextDeadline(), model.nextDeadline(), 'the next deadline')
    }
    this.#compareRoom()
    this.#compareJournal()
  }

  #compareRoom(): void {
    const { bed, model, copied } = this
    for (const { machine } of copied === null ? [bed] : [bed, copied]) {
      const { memoryBytes, memoryBytesMax } = machine.stats()
      same([memoryBytes, memoryBytesMax], [model.memory(), model.roomBytes], 'the room')
    }
    if (model.memory() < model.roomBytes && model.roomBytes < ROOM_SMALL) this.#see('within its room')
  }

  #compareJournal(): void {
    const { machine, changes } = this.bed
    const from = Math.max(0, changes.length - 3)
    const since = changes[from]
    if (since === undefined || this.copied !== null) return
    const told = machine.changesSince(since.at)
    // A machine that was made of records knows only what came after.
    if (told !== null)
      same(
        told,
        changes.slice(from + 1).map(({ at, version, line, reason }) => ({ at, version, line, reason })),
        'the journal',
      )
    else this.#see('too long ago')
  }

  #commandOf(next: CommandStep): CacheCommand {
    switch (next.type) {
      case 'put': {
        const { type, name, isDead, known, own, share, condition, loadToken, tags, value, ...rest } = next
        const entry = { ...name, key: next.key }
        const before = { ...this.#before(entry, isDead, known, own), condition: this.#condition(entry, condition) }
        const token = this.#token(entry, loadToken)
        const common = { contentType: 'text/plain', tags: this.#tags(tags), share: this.#share(entry, share), value: TEXT.encode(value) }
        return { type: `cache_${type}`, ...entry, ...rest, ...before, ...common, loadToken: token }
      }
      case 'delete': {
        const entry = { ...next.name, key: next.key }
        return {
          type: 'cache_delete',
          ...entry,
          ...this.#before(entry, next.isDead, next.known, next.own),
          condition: this.#condition(entry, next.condition),
        }
      }
      case 'increment': {
        const entry = { ...next.name, key: next.key }
        const common = { by: next.by, ttlMs: next.ttlMs, tags: this.#tags(next.tags), share: this.#share(entry, next.share) }
        return { type: 'cache_increment', ...entry, ...this.#before(entry, next.isDead, next.known, next.own), ...common }
      }
      case 'touch':
        return { type: 'cache_touch', ...next.name, keys: next.keys }
      case 'bump':
        return { type: 'cache_bump', lines: next.lines }
      case 'configure':
        return { type: 'cache_configure', ...next.name, config: next.config }
      case 'invalidate':
        return { type: 'cache_invalidate_keys', ...next.name, keys: next.keys }
      case 'sweep': {
        const newest = 'line' in next.what ? (this.model.markers.get(next.what.line) ?? 0) : this.model.version + 1
        return { type: 'cache_sweep', ...next.name, what: next.what, below: Math.max(0, newest - next.below), after: 0 }
      }
      case 'swept':
        return { type: 'cache_swept', lines: this.#tags(next.lines) }
      case 'room':
        return { type: 'cache_room', bytes: next.bytes, term: 1 }
      case 'limits':
        return { type: 'cache_limits', ...next.name, share: next.share }
      case 'load': {
        const entry = { ...next.name, key: next.key }
        const { dead } = this.#before(entry, next.isDead, null, null)
        return { type: 'cache_load', ...entry, dead, waitMs: next.waitMs, staleOk: next.staleOk, tags: this.#tags(next.tags) }
      }
      case 'hold':
        return next.isOver ? { type: 'cache_unhold', node: next.node, term: 1 } : { type: 'cache_hold', node: next.node }
      case 'own': {
        const line = entryLine(next.name.namespace, next.name.cache, next.key)
        return { type: 'cache_own', line, node: next.node, count: next.count, term: 1 }
      }
      case 'flush': {
        const { line, own } = this.#ownership(next.back)
        const owner = this.model.owners.find((each) => each.own === own)
        const version = Math.max(1, Math.max(owner?.flushed ?? 0, (owner?.versionFirst ?? 1) - 1) + next.version)
        const none = { value: null, contentType: '', ttlMs: null, slidingMs: 0, tags: [] }
        const given = {
          value: TEXT.encode(next.value ?? ''),
          contentType: 'text/x',
          ttlMs: next.ttlMs,
          slidingMs: 0,
          tags: this.#tags(next.tags),
        }
        const share = SHARE
        return { type: 'cache_flush', line, own, version, ...(next.value === null ? none : given), share }
      }
      case 'release':
        return { type: 'cache_release', ...this.#ownership(next.back), term: 0 }
    }
  }

  #ownership(back: number): { readonly line: string; readonly own: number } {
    return this.#owners[back] ?? { line: entryLine('default', 'orders', 'a'), own: 1 }
  }

  #before(name: EntryName, isDead: boolean, known: Known, own: null | 'true' | number): Pick<PutCommand, 'dead' | 'known' | 'own'> {
    const line = entryLine(name.namespace, name.cache, name.key)
    const current = this.model.owners.find((owner) => owner.line === line)?.own ?? 0
    return {
      dead: isDead ? (this.model.entry(name)?.version ?? 1) : 0,
      known: known === 'true' ? (this.model.entry(name)?.tags ?? []) : known === null ? null : this.#tags(known),
      own: own === null ? 0 : own === 'true' ? current : (this.#owners[own]?.own ?? 0),
    }
  }

  #condition(name: EntryName, condition: Condition): Condition {
    return typeof condition === 'number' ? Math.max(0, (this.model.entry(name)?.version ?? 0) + condition) : condition
  }

  #token(name: EntryName, token: null | 'true' | number): number | null {
    const line = entryLine(name.namespace, name.cache, name.key)
    const current = this.model.loads.find((load) => load.line === line)
    return token === null ? null : token === 'true' ? (current?.token ?? null) : Math.max(0, this.model.tokens - token)
  }

  #tags(tags: readonly (readonly [string, number])[]): LineVersion[] {
    return tags.map(([line, off]) => [line, Math.max(0, (this.model.markers.get(line) ?? 0) + off)])
  }

  #share({ namespace, cache }: EntryName, share: Share | null): Share {
    const prefix = entryLine(namespace, cache, '')
    return share ?? this.model.caches.find((each) => each.prefix === prefix)?.share ?? SHARE
  }
}

function reload({ name, key, tags }: Reload): readonly Step[] {
  const load = { type: 'load', name, key, tags, waitMs: 0, staleOk: false, isDead: false } as const
  const before = { condition: null, isDead: false, known: null, own: null, loadToken: 'true', share: null } as const
  return [load, { type: 'put', name, key, tags, value: '1', ttlMs: 100, slidingMs: 0, ...before }, { type: 'pass', ms: 100 }, load]
}

function ownerOf({ line, node, own, versionFirst, versionMax }: Omit<NaiveOwner, 'flushed'>): unknown {
  return { line, node, own, versionFirst, versionMax }
}

/** As `toEqual`, which is slow, where the two differ only. */
function same(actual: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual, what).toEqual(expected)
}

/** Of a refusal only what programs read; of what was found not the value, which is read by its line. */
function plain(reply: CacheReply | null): unknown {
  if (reply?.type === 'found' || reply?.type === 'stale') return { ...reply, value: null }
  if (reply?.type !== 'refused') return reply
  const { version, own } = reply.details
  return { type: 'refused', code: reply.code, version, own }
}
