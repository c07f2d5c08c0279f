/** Deadlines, the client's half of exactly-once, and the window of the log. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeParcel } from '../batch.ts'
import { type Expiring, Deadlines, roundUp } from './deadlines.ts'
import { Lane } from './lane.ts'

const body = (length: number) => ({ key: null, traceparent: '', cancels: 0, body: new Uint8Array(length) })
const ignore = (): void => {}

describe('Deadlines', () => {
  it('give back exactly what is due and was not removed', () => {
    const item = fc.record({ timeout: fc.integer({ min: 1, max: 100_000 }), removed: fc.boolean() })
    fc.assert(
      fc.property(fc.array(item), fc.integer({ min: 0, max: 200_000 }), (items, at) => {
        const deadlines = new Deadlines<Expiring & { readonly n: number }>()
        const added = items.map((_, n) => ({ n, deadline: 0, list: null, previous: null, next: null }))
        items.forEach(({ timeout }, n) => deadlines.add(added[n]!, n, timeout))
        items.forEach(({ removed }, n) => removed && deadlines.remove(added[n]!))
        const due: number[] = []
        for (let one = deadlines.take(at); one !== null; one = deadlines.take(at)) due.push(one.n)
        expect(due.sort((a, b) => a - b)).toEqual(
          items.flatMap(({ timeout, removed }, n) => (!removed && n + roundUp(timeout) <= at ? [n] : [])),
        )
      }),
    )
  })

  it('round timeouts up by an eighth at most', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 ** 9 }), (timeout) => {
        expect(roundUp(timeout)).toBeGreaterThanOrEqual(timeout)
        expect(roundUp(timeout)).toBeLessThanOrEqual(timeout * 1.125)
      }),
    )
  })
})

describe('Lane', () => {
  it('bounds parcels, and says low as the first that is neither answered nor waiting', () => {
    const lane = new Lane(1, 42)
    const pendings = [1, 2, 3, 4].map(() => lane.add(body(30_000), false, ignore))
    const parcels = lane.takeParcels(0)
    expect(parcels.map(({ bytes, repeat }) => [decodeParcel(bytes)!.commands.map(({ sequence }) => sequence), repeat])).toEqual([
      [[1, 2], false],
      [[3, 4], false],
    ])
    lane.waits(pendings[0]!)
    lane.answered(pendings[1]!, false, true)
    expect(lane.low).toBe(3)
    lane.requeue(pendings[0]!)
    const [again] = lane.takeParcels(0)
    expect([decodeParcel(again!.bytes)!.low, again!.repeat]).toEqual([3, true])
    expect([lane.ofParcel(parcels[0]!.id), lane.ofParcel(again!.id)]).toEqual([[], [pendings[0]]])
  })

  it('keeps what is essential apart while it is told to', () => {
    const lane = new Lane(1, 42)
    const take = (): unknown =>
      lane.takeParcels(0).map(({ id, bytes, essential }) => {
        expect(lane.isEssential(id)).toBe(essential)
        return [decodeParcel(bytes)!.commands.map(({ sequence }) => sequence), essential]
      })
    const add = (...kinds: boolean[]): void => kinds.forEach((essential) => lane.add(body(1), essential, ignore))
    add(false, true, false)
    expect(take()).toEqual([[[1, 2, 3], false]])
    lane.apart = true
    add(false, true, false, true)
    expect(take()).toEqual([
      [[5, 7], true],
      [[4, 6], false],
    ])
    add(true)
    expect(take()).toEqual([[[8], true]])
  })

  it('carries acknowledgements until the command that carried them is answered', () => {
    const lane = new Lane(1, 42)
    const acksOf = (): readonly number[] => decodeParcel(lane.takeParcels(0)[0]!.bytes)!.acks
    const first = lane.add(body(1), false, ignore)
    lane.takeParcels(0)
    lane.waits(first)
    lane.answered(first, true, true)
    const carrier = lane.add(body(1), false, ignore)
    expect(acksOf()).toEqual([1])
    lane.add(body(1), false, ignore)
    expect(acksOf()).toEqual([])
    lane.requeue(carrier)
    expect(acksOf()).toEqual([1])
    lane.answered(carrier, false, true)
    lane.add(body(1), false, ignore)
    expect(acksOf()).toEqual([])
  })

  it('lets another command carry acknowledgements whose carrier never went through the log', () => {
    const lane = new Lane(1, 42)
    const acksOf = (): readonly number[] => decodeParcel(lane.takeParcels(0)[0]!.bytes)!.acks
    const waited = lane.add(body(1), false, ignore)
    acksOf()
    lane.waits(waited)
    lane.answered(waited, true, true)
    const refused = lane.add(body(1), false, ignore)
    expect(acksOf()).toEqual([1])
    lane.answered(refused, false, false)
    lane.add(body(1), false, ignore)
    expect(acksOf()).toEqual([1])
  })

  it('does not trust a repeated command to carry them: the group may know its answer and not look into the parcel', () => {
    const lane = new Lane(1, 42)
    const acksOf = (): readonly number[] => decodeParcel(lane.takeParcels(0)[0]!.bytes)!.acks
    const [waited, old] = [lane.add(body(1), false, ignore), lane.add(body(1), false, ignore)]
    acksOf()
    lane.waits(waited)
    lane.answered(waited, true, true)
    lane.requeue(old)
    expect(acksOf()).toEqual([])
    lane.requeue(old)
    lane.add(body(1), false, ignore)
    expect(acksOf()).toEqual([1])
    lane.answered(old, false, true)
    lane.add(body(1), false, ignore)
    expect(acksOf()).toEqual([])
  })
})
