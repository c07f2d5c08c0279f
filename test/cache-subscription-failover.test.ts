/** Subscriptions while the homes of what they watch go: on the other nodes each answered write is told, in its order, without a gap. */
import { expect, test } from 'vitest'
import { startInMemory } from './embedded-bed.ts'
import { type Answer, type SocketClient, openSocket } from './socket-client.ts'

const KEYS = 12

test('homes that leave in the middle of a burst', async () => {
  const cluster = await startInMemory(3, ['cluster.partitions=6', 'consensus.segment_bytes=1048576'])
  const connect = (nth: number): Promise<SocketClient> =>
    openSocket(`${cluster.nodes[nth]!.url.replace('http', 'ws')}/v1/ws`, 'tricord.v1.json')
  const [reader, writer] = [await connect(0), await connect(1)]
  const { seq } = await reader.result('cache.subscribe', { cache: 'burst', prefix: 'k' })
  const answered: { readonly key: string; readonly version: number }[] = []
  let isOver = false
  const write = async (key: string): Promise<void> => {
    for (let nth = 0; !isOver; nth++) {
      // Where it is refused, or nobody knows, it is asked again under the same key: one effect.
      const members = { cache: 'burst', key, data: nth, idempotencyKey: `${key}-${nth}` }
      let answer: Answer = await writer.call('cache.put', members)
      while (answer['ok'] !== true) answer = await writer.call('cache.put', members)
      const { version } = answer['result'] as { version: number }
      answered.push({ key, version })
    }
  }
  const writers = Array.from({ length: KEYS }, (_, nth) => write(`k${nth}`))
  while (answered.length < 300) await reader.answer('cache.beat')
  await cluster.nodes[2]!.stop()
  const before = answered.length
  while (answered.length < before + 600) await reader.answer('cache.beat')
  isOver = true
  await Promise.all(writers)
  const told: Answer[] = []
  const missing = new Set(answered.map(({ key, version }) => `${key}@${version}`))
  while (missing.size > 0) {
    const event = await reader.answer('cache.invalidate')
    told.push(event)
    missing.delete(`${event['key']}@${event['version']}`)
  }
  expect(told.map((event) => event['seq'])).toEqual(told.map((_, nth) => seq + 1 + nth))
  for (let nth = 0; nth < KEYS; nth++) {
    const versions = told.filter(({ key }) => key === `k${nth}`).map(({ version }) => version as number)
    expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b))
  }
  expect(reader.frames.flat().filter((frame) => (frame as Answer)['event'] === 'cache.reset')).toEqual([])
  await Promise.all([reader, writer].map((socket) => socket.close()))
  await Promise.all(cluster.nodes.slice(0, 2).map((node) => node.stop()))
})
