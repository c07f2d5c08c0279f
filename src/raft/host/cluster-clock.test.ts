/** T: rises with the leader's uptime, stands still otherwise, never goes back. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ClusterClock, Uptime, pulseMs } from './cluster-clock.ts'

describe('Uptime', () => {
  it('counts a pause as two ticks', () => {
    const uptime = new Uptime(1000, 50)
    expect(uptime.advance(1040)).toBe(40)
    expect(uptime.advance(61_040)).toBe(140)
    expect(uptime.advance(61_000)).toBe(140)
    expect(uptime.advance(61_050)).toBe(150)
  })
})

describe('ClusterClock', () => {
  it('continues from the applied time of the leader before', () => {
    const clock = new ClusterClock()
    clock.observe(5000, 10)
    expect(clock.read(900)).toBe(5000)
    clock.lead(1000)
    expect(clock.read(1025)).toBe(5025)
    clock.observe(5010, 1025)
    expect(clock.read(1025)).toBe(5025)
    clock.observe(9000, 1030)
    expect(clock.read(1040)).toBe(9010)
  })

  it('tells whole milliseconds and loses no fraction over many readings', () => {
    const clock = new ClusterClock()
    clock.lead(0.25)
    for (let uptime = 0.25; uptime <= 100; uptime += 0.25) {
      const now = clock.read(uptime)
      expect(Number.isInteger(now)).toBe(true)
      clock.observe(now, uptime)
    }
    expect(clock.read(100.25)).toBe(100)
  })

  it('is never behind what was applied, and never goes back while it leads', () => {
    const step = fc.record({ kind: fc.constantFrom('lead', 'follow', 'observe', 'pass'), by: fc.integer({ min: 0, max: 1000 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = new ClusterClock()
        let uptime = 0
        let applied = 0
        let last = 0
        for (const { kind, by } of steps) {
          uptime += by
          if (kind === 'lead') clock.lead(uptime)
          else if (kind === 'follow') clock.follow()
          else if (kind === 'observe') clock.observe((applied += by), uptime)
          const now = clock.read(uptime)
          expect(now).toBeGreaterThanOrEqual(applied)
          if (kind === 'pass' || kind === 'observe') expect(now).toBeGreaterThanOrEqual(last)
          last = now
        }
      }),
    )
  })
})

describe('pulseMs', () => {
  it('is a sixteenth of what remains, between two seconds and a minute', () => {
    expect([Infinity, 1, 30_000, 64_000, 3_600_000].map(pulseMs)).toEqual([Infinity, 2_000, 2_000, 4_000, 60_000])
  })
})
