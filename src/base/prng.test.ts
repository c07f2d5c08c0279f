import { expect, test } from 'vitest'
import { Prng } from './prng.ts'

test('the same seed gives the same numbers, another seed others', () => {
  const draw = (seed: number) =>
    Array.from(
      { length: 5 },
      (
        (prng) => () =>
          prng.below(1_000_000)
      )(new Prng(seed)),
    )
  expect(draw(7)).toEqual(draw(7))
  expect(draw(7)).not.toEqual(draw(8))
  expect(draw(7)).not.toEqual(draw(7 + 2 ** 32))
})

test('numbers are uniform enough and within their bounds', () => {
  const prng = new Prng(1)
  const counts = [0, 0, 0, 0, 0, 0, 0]
  for (let i = 0; i < 70_000; i++) counts[prng.below(7)]!++
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500)
  expect(prng.bytes(3)).toHaveLength(3)
})

test('a fork is a stream of its own', () => {
  const [a, b] = [new Prng(3), new Prng(3)]
  const fork = a.fork()
  b.fork()
  fork.next()
  expect(a.next()).toBe(b.next())
})
