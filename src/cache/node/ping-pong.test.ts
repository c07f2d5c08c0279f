import { expect, test } from 'vitest'
import { PingPong } from './ping-pong.ts'

const all = () => true

/** Each invalidation has a number of its own, and takes one copy back unless it says whose. */
function lines() {
  const pingPong = new PingPong()
  let t = 0
  const invalidated = (line: string, now: number, nodes: readonly string[] = ['n1']): void => {
    t++
    for (const node of nodes) pingPong.invalidated(line, t, node, now)
  }
  return { pingPong, invalidated }
}

test('a line counts once it was invalidated five times within ten seconds, and no longer than that lasts', () => {
  const { pingPong, invalidated } = lines()
  for (const at of [0, 1_000, 2_000, 3_000]) invalidated('a', at)
  invalidated('b', 3_000)
  expect(pingPong.bouncing(3_000, all)).toEqual([])
  invalidated('a', 4_000)
  expect(pingPong.bouncing(4_000, all)).toHaveLength(1)
  expect(pingPong.bouncing(9_999, all)).toHaveLength(1)
  expect(pingPong.bouncing(10_000, all)).toEqual([])
  // The last ten seconds are what counts, not the first.
  invalidated('a', 10_500)
  expect(pingPong.bouncing(10_500, all)).toHaveLength(1)
  expect(pingPong.bouncing(60_000, all)).toEqual([])
})

test('an invalidation counts once, however many copies it takes back and however often it is sent again', () => {
  const { pingPong, invalidated } = lines()
  for (let nth = 0; nth < 4; nth++) invalidated('a', 100, ['n1', 'n2', 'n3', 'n1', 'n2', 'n3'])
  expect(pingPong.bouncing(100, all)).toEqual([])
  invalidated('a', 100, ['n2'])
  expect(pingPong.bouncing(100, all)).toEqual([{ line: 'a', invalidations: 5, nodes: ['n1', 'n2', 'n3'] }])
})

test('the worst come first, of those that are asked for, with the nodes whose copies were taken back in that time', () => {
  const { pingPong, invalidated } = lines()
  for (let nth = 0; nth < 5; nth++) invalidated('a', 0, ['n3'])
  for (let nth = 0; nth < 5; nth++) invalidated('c', 9_000, ['n1'])
  for (let nth = 0; nth < 7; nth++) invalidated('b', 9_000 + nth, ['n2', 'n1'])
  for (let nth = 0; nth < 5; nth++) invalidated('a', 9_000, ['n1', 'n2'])
  const [b, c] = [
    { line: 'b', invalidations: 7, nodes: ['n1', 'n2'] },
    { line: 'c', invalidations: 5, nodes: ['n1'] },
  ]
  expect(pingPong.bouncing(9_999, all)).toEqual([{ line: 'a', invalidations: 10, nodes: ['n1', 'n2', 'n3'] }, b, c])
  expect(pingPong.bouncing(9_999, (line) => line !== 'a')).toEqual([b, c])
  expect(pingPong.bouncing(10_000, all)).toEqual([b, { line: 'a', invalidations: 5, nodes: ['n1', 'n2'] }, c])
})

test('it forgets the oldest rather than grow', () => {
  const { pingPong, invalidated } = lines()
  for (let time = 0; time < 5; time++) invalidated('a', time)
  for (let nth = 0; nth < 5_000; nth++) invalidated(`line ${nth}`, 10)
  expect(pingPong.bouncing(10, all)).toEqual([])
  for (let nth = 0; nth < 5_000; nth++) invalidated('b', 20, [`node ${nth}`])
  expect(pingPong.bouncing(20, all)).toMatchObject([{ line: 'b', invalidations: 5_000, nodes: { length: 16 } }])
})
