/**
 * What the lock machine alone can do: one thread, no network, no disk. Prints nanoseconds per command and bytes per
 * held lock, and judges nothing.
 *
 *   node --expose-gc bench/lock-machine.js [held locks, default 1000000]
 */
import type { ApplyContext } from '../src/raft/machine.ts'
import type { AcquireCommand, LockCommand } from '../src/lock/types.ts'
import { createLockMachine } from '../src/lock/machine.ts'
import { decodeCommand, encodeCommand } from '../src/lock/codec.ts'
import { ownerTag } from '../src/lock/ids.ts'
import { decodeReply } from '../src/lock/replies.ts'

const NO_COLD = (): void => {}

// As after years of service: times and tokens beyond 32 bits.
const YEARS = 2 ** 38

class Context implements ApplyContext {
  index = 1
  term = 1
  time = YEARS
  settled = 0
  settle(): void {
    this.settled += 1
  }
  emit(): void {}
}

const base: AcquireCommand = {
  type: 'lock_acquire',
  namespace: 'default',
  items: [],
  session: null,
  implicitProof: '',
  owner: '',
  waitMs: 0,
  leaseMs: 30_000,
  priority: 0,
  reentrant: false,
  metadata: null,
}

function proofOf(i: number): string {
  return Buffer.from(`secret of the session ${i}`.padEnd(32, '.').slice(-32)).toString('base64url')
}

function acquireOf(i: number, over: Partial<AcquireCommand> = {}): LockCommand {
  const name = `orders/${String(i).padStart(8, '0')}/items`
  return { ...base, items: [{ name, mode: 'exclusive' }], implicitProof: proofOf(i), owner: `job-${i}`, ...over }
}

function report(what: string, count: number, from: bigint): void {
  const ns = Number(process.hrtime.bigint() - from) / count
  process.stdout.write(`${what.padEnd(58)} ${ns.toFixed(0).padStart(8)} ns   ${(1e9 / ns).toFixed(0).padStart(9)}/s\n`)
}

function benchCodec(): void {
  const commands = Array.from({ length: 1000 }, (_, i) => acquireOf(i))
  const encoded = commands.map(encodeCommand)
  for (let round = 0; round < 3; round++) {
    const count = 300_000
    let from = process.hrtime.bigint()
    for (let i = 0; i < count; i++) encodeCommand(commands[i % 1000] as LockCommand)
    if (round === 2) report('encode acquire', count, from)
    from = process.hrtime.bigint()
    for (let i = 0; i < count; i++) decodeCommand(encoded[i % 1000] as Uint8Array)
    if (round === 2) report('decode acquire', count, from)
  }
}

/** Acquire and release pairs on `locks` names; the commands are encoded beforehand, decoding is part of apply. */
function benchPairs(what: string, locks: number, renewals: number): void {
  const machine = createLockMachine()
  const ctx = new Context()
  machine.load(Uint8Array.of(0x63), encodeCounters())
  machine.loaded()
  const acquires = Array.from({ length: locks }, (_, i) => encodeCommand(acquireOf(i)))
  for (let round = 0; round < 5; round++) {
    let applied = 0n
    const count = 200_000
    for (let done = 0; done < count; done += locks) {
      let from = process.hrtime.bigint()
      const replies = acquires.map((command, i) => machine.apply(ctx, done + i + 1, command))
      applied += process.hrtime.bigint() - from
      const rest = replies.flatMap((reply, i) => followUps(reply, i, renewals))
      from = process.hrtime.bigint()
      for (const command of rest) machine.apply(ctx, 0, command)
      applied += process.hrtime.bigint() - from
      ctx.time += 1
      machine.advance(ctx)
    }
    if (round === 4) report(what, count, process.hrtime.bigint() - applied)
  }
}

function followUps(reply: unknown, i: number, renewals: number): Uint8Array[] {
  const decoded = decodeReply(reply as never)
  if (decoded.type !== 'granted') throw new Error(`not granted: ${JSON.stringify(decoded)}`)
  const { name, grantId, session: id } = decoded.grants[0] as (typeof decoded.grants)[number]
  const common = { namespace: 'default', name, grantId, session: { id, proof: proofOf(i) } }
  const renew = encodeCommand({ type: 'lock_renew', ...common, leaseMs: null })
  return [...Array.from({ length: renewals }, () => renew), encodeCommand({ type: 'lock_release', ...common })]
}

function encodeCounters(): Uint8Array {
  const bytes = new Uint8Array(12)
  const view = new DataView(bytes.buffer)
  bytes.set([0x93, 1, 0xcb])
  view.setFloat64(3, YEARS)
  bytes[11] = 0
  return bytes
}

/** One lock, `waiters` in its queue: every release hands over to the next. */
function benchHandOver(waiters: number): void {
  const machine = createLockMachine()
  const ctx = new Context()
  let settled: unknown = null
  ctx.settle = (...args: unknown[]) => {
    settled = args[1]
  }
  const wait = { waitMs: 60_000, items: [{ name: 'one', mode: 'exclusive' as const }] }
  let holder: unknown = machine.apply(ctx, 1, encodeCommand(acquireOf(0, wait)))
  for (let i = 1; i <= waiters; i++) machine.apply(ctx, i + 1, encodeCommand(acquireOf(0, wait)))
  let spent = 0n
  for (let i = 1; i <= waiters; i++) {
    const [command] = followUps(holder, 0, 0)
    const from = process.hrtime.bigint()
    machine.apply(ctx, 0, command as Uint8Array)
    spent += process.hrtime.bigint() - from
    holder = settled
  }
  report(`release that hands over, ${waiters} waiting`, waiters, process.hrtime.bigint() - spent)
}

function heapBytes(): number {
  globalThis.gc?.()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return heapUsed + Math.max(external, arrayBuffers)
}

/** Batches with a turn of the event loop between them, as a server has: the collector marks beside it. */
async function benchHeld(held: number): Promise<void> {
  const machine = createLockMachine()
  const ctx = new Context()
  machine.load(Uint8Array.of(0x63), encodeCounters())
  machine.loaded()
  const before = heapBytes()
  let spent = 0n
  let slowest = 0n
  for (let i = 0; i < held; i++) {
    const command = encodeCommand(acquireOf(i))
    if (i % 200 === 0) {
      ctx.time += 1
      machine.drain(() => {}, NO_COLD)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    const from = process.hrtime.bigint()
    machine.apply(ctx, i + 1, command)
    const took = process.hrtime.bigint() - from
    spent += took
    if (took > slowest) slowest = took
  }
  report(`acquire, up to ${held} held`, held, process.hrtime.bigint() - spent)
  process.stdout.write(`${'slowest single acquire'.padEnd(58)} ${(Number(slowest) / 1e6).toFixed(1).padStart(8)} ms\n`)
  const each = (heapBytes() - before) / held
  process.stdout.write(`${'memory per held lock, all included'.padEnd(58)} ${each.toFixed(0).padStart(8)} B\n`)
  benchReload(machine, held)
  const from = process.hrtime.bigint()
  ctx.time += 100_000
  let entries = 0
  let longest = 0n
  while (machine.nextDeadline() <= ctx.time) {
    const start = process.hrtime.bigint()
    machine.advance(ctx)
    const took = process.hrtime.bigint() - start
    if (took > longest) longest = took
    entries += 1
  }
  report('expiry, per lock', held, from)
  const ms = (Number(longest) / 1e6).toFixed(1)
  process.stdout.write(`${`longest of ${entries} paced entries`.padEnd(58)} ${ms.padStart(8)} ms\n`)
}

function benchReload(machine: ReturnType<typeof createLockMachine>, held: number): void {
  // Renewing everything makes every record dirty again.
  const ctx = new Context()
  const records: [Uint8Array, Uint8Array][] = []
  for (let i = 0; i < held; i++) {
    const grantId = `g_${(YEARS + 1 + i).toString(36)}`
    const reply = machine.apply(ctx, 0, renewalOf(i, grantId, null))
    if (decodeReply(reply as never).type !== 'renewed') throw new Error('not renewed')
  }
  let from = process.hrtime.bigint()
  let bytes = 0
  machine.drain((key, value) => (bytes += key.length + (value?.length ?? 0)), NO_COLD)
  report('drain, per record', held, from)
  process.stdout.write(`${'record per held lock'.padEnd(58)} ${(bytes / held).toFixed(0).padStart(8)} B\n`)
  for (let i = 0; i < held; i++) machine.apply(ctx, 0, renewalOf(i, `g_${(YEARS + 1 + i).toString(36)}`, null))
  machine.drain((key, value) => {
    if (value !== null) records.push([Uint8Array.from(key), Uint8Array.from(value)])
  }, NO_COLD)
  const other = createLockMachine()
  from = process.hrtime.bigint()
  for (const [key, value] of records) other.load(key, value)
  other.loaded()
  report('load, per record', held, from)
}

function renewalOf(i: number, untagged: string, session: null): Uint8Array {
  const command = acquireOf(i) as AcquireCommand
  const { name } = command.items[0] as AcquireCommand['items'][number]
  const grantId = `${untagged}_${ownerTag(command.owner).toString(36)}`
  return encodeCommand({ type: 'lock_renew', namespace: 'default', name, grantId, session, leaseMs: null })
}

benchCodec()
benchPairs('apply acquire + release, uncontended, per pair', 1000, 0)
benchPairs('apply acquire + 1 renew + release, per triple', 1000, 1)
benchHandOver(5000)
await benchHeld(Number(process.argv[2] ?? 1_000_000))
