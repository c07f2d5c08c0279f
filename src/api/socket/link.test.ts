/** The limits of a link, in virtual time over a peer that is told what to do. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import { CUT_BYTES, Link, PAUSE_BYTES, type Peer, SILENCE_MS } from './link.ts'

/** Takes bytes only when told to. */
class SlowPeer {
  bufferedAmount = 0
  isPaused = false
  pings = 0
  ended = ''
  readonly #taken: (() => void)[] = []

  send(frame: Uint8Array, _options: unknown, taken: () => void): void {
    this.bufferedAmount += frame.length
    this.#taken.push(() => {
      this.bufferedAmount -= frame.length
      taken()
    })
  }
  take(): void {
    this.#taken.shift()?.()
  }
  ping(): void {
    this.pings++
  }
  pause(): void {
    this.isPaused = true
  }
  resume(): void {
    this.isPaused = false
  }
  close(code: number): void {
    this.ended = `closed ${code}`
  }
  terminate(): void {
    this.ended = 'cut'
  }
}

function bed() {
  const clock = new ManualClock()
  const peer = new SlowPeer()
  const heldBack: boolean[] = []
  const link: Link = new Link(peer as unknown as Peer, clock, true, () => heldBack.push(link.isHeldBack))
  return { clock, peer, link, heldBack }
}
const HALF = new Uint8Array(PAUSE_BYTES / 2)

test('a peer that takes nothing is read no more above 1 MiB, and again at half of it', () => {
  const { peer, link, heldBack } = bed()
  link.send(HALF)
  link.send(HALF)
  expect(peer.isPaused).toBe(false)
  link.send(HALF)
  expect(peer.isPaused).toBe(true)
  peer.take()
  expect(peer.isPaused).toBe(true)
  peer.take()
  expect(peer.isPaused).toBe(false)
  expect(heldBack).toEqual([true, false])
  expect(peer.ended).toBe('')
})

test('it is cut above 16 MiB', () => {
  const { peer, link } = bed()
  for (let sent = 0; sent < CUT_BYTES; sent += HALF.length) link.send(HALF)
  expect(peer.ended).toBe('')
  link.send(new Uint8Array(1))
  expect(peer.ended).toBe('cut')
})

test('a silent peer is pinged, and cut after 20 s', async () => {
  const { clock, peer, link } = bed()
  await clock.pass(SILENCE_MS - 1)
  link.heard()
  await clock.pass(SILENCE_MS)
  expect({ pings: peer.pings, ended: peer.ended }).toEqual({ pings: 3, ended: '' })
  await clock.pass(SILENCE_MS)
  expect(peer.ended).toBe('cut')
})

test('a slow reader that takes bytes is not silent', async () => {
  const { clock, peer, link } = bed()
  for (let i = 0; i < 8; i++) link.send(HALF)
  for (let i = 0; i < 5; i++) {
    await clock.pass(SILENCE_MS / 2)
    peer.take()
  }
  expect({ paused: peer.isPaused, ended: peer.ended }).toEqual({ paused: true, ended: '' })
  link.end()
  await clock.pass(10 * SILENCE_MS)
  expect(peer.ended).toBe('')
})
