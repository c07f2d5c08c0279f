/** Many lines that a node writes alone: what it costs to look after them, and that each is looked after in time. */
import { expect, test } from 'vitest'
import type { Millis } from '../../base/ids.ts'
import { Controller } from './controller.ts'
import { NOTHING_HELD, nothingAt } from './held.ts'
import { SILENT_NODE } from './model/silent-ports.ts'
import type { LineId } from './protocol.ts'

const MANY = 100_000
const FLUSH_MS = 100
const IDLE_MS = 60_000

/** It owns `count` lines since 0, by a session that lasts. */
function ownerOf(count: number) {
  const flushed: [LineId, Millis][] = []
  const released: LineId[] = []
  const versions = new Map<LineId, number>()
  let now = 0
  let rid = 0
  const controller: Controller = new Controller({ partition: 0, life: 1, renewMs: 500, idleMs: IDLE_MS, flushMs: FLUSH_MS }, new Map(), {
    ...SILENT_NODE,
    send: (_, message) => {
      if (message.type === 'open') controller.receive('h', { type: 'opened', term: 1, sid: 1, n: message.n, leaseMs: 1e9 }, now)
      if (message.type === 'getM') rid = message.rid
    },
    flush: (line, _own, version) => {
      flushed.push([line, now])
      versions.set(line, version)
    },
    release: (line) => void released.push(line),
  })
  for (let nth = 0; nth < count; nth++) {
    const line = `line ${nth}`
    controller.own(line, nth, Infinity, now)
    const versions = { own: nth + 1, versionFirst: 1, versionMax: 1_000 }
    controller.receive('h', { type: 'dataX', term: 1, sid: 1, rid, line, g: nth + 1, held: NOTHING_HELD, ...versions }, now)
  }
  const at = (time: Millis): Controller => {
    now = time
    return controller
  }
  const write = (line: LineId): void => void controller.write(line, nothingAt, now)
  return { at, write, flushed, versions, released }
}

/** Counts how often anybody looks when a line is to be flushed. */
function countLooks(controller: Controller): { looks: number } {
  const counted = { looks: 0 }
  for (const [, owned] of controller.owner.lines) {
    let { flushAt } = owned
    Object.defineProperty(owned, 'flushAt', {
      get: () => {
        counted.looks += 1
        return flushAt
      },
      set(value: Millis) {
        flushAt = value
      },
    })
  }
  return counted
}

test('a tick looks at the lines that are due, not at all of them', () => {
  const { at, write, flushed } = ownerOf(MANY)
  const counted = countLooks(at(0))
  at(10)
  for (const line of ['line 7', 'line 70000']) write(line)
  expect(at(10 + FLUSH_MS).tick(10 + FLUSH_MS)).toBeGreaterThan(10 + FLUSH_MS)
  expect(flushed).toEqual([
    ['line 7', 110],
    ['line 70000', 110],
  ])
  expect(counted.looks).toBeLessThan(1_000)
})

test('each is flushed in time, however the writes come', () => {
  const { at, write, flushed, versions } = ownerOf(50)
  const written = new Map<LineId, Millis>()
  for (let now = 0; now < 1_000; now += 10) {
    at(now)
    const line = `line ${(now * 7) % 50}`
    write(line)
    if (!written.has(line)) written.set(line, now)
    if (at(now).dueAt <= now) at(now).tick(now)
    for (const [done, when] of flushed.splice(0)) {
      expect(when - (written.get(done) ?? -Infinity)).toBe(FLUSH_MS)
      written.delete(done)
      at(now).flushed(done, Number(done.slice(5)) + 1, versions.get(done) ?? 0, true, now)
    }
  }
  expect(written.size).toBeLessThanOrEqual(FLUSH_MS / 10)
})

test('those that nobody used are given back a few at a time; those that were read or written, later', () => {
  const { at, released } = ownerOf(200)
  at(1_000).load('line 3', 1, Infinity, 1_000)
  at(IDLE_MS).tick(IDLE_MS)
  expect(released.length).toBe(64)
  for (let now = IDLE_MS; now < IDLE_MS + 1_000; now += 10) if (at(now).dueAt <= now) at(now).tick(now)
  expect(released.length).toBe(199)
  expect(released).not.toContain('line 3')
  const end = 2 * IDLE_MS
  at(end).tick(end)
  expect(released.length).toBe(200)
})
