import { MessageChannel } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import { TricordError } from '../base/errors.ts'
import { ManualClock } from '../../test/manual-clock.ts'
import type { Clock } from '../io/clock.ts'
import { SystemClock } from '../io/clock-system.ts'
import { SystemRandom } from '../io/random-system.ts'
import { type LocalBus, createLocalBus } from '../io/transport-local.ts'
import { createPortTransport } from '../io/transport-port.ts'
import type { Actor, ActorContext, ActorSystem } from './actor.ts'
import type { Envelope } from './envelope.ts'
import { createActorSystem } from './system.ts'

const clock = new SystemClock()
const random = new SystemRandom()
const open: ActorSystem[] = []
const bugs: unknown[] = []

function start(
  bus: LocalBus,
  node: string,
  incarnation = 1,
  options: { drainMax?: number; mailboxMax?: number; cluster?: string; clock?: Clock } = {},
): ActorSystem {
  const system = createActorSystem({
    node,
    incarnation,
    cluster: options.cluster ?? 'test',
    clock: options.clock ?? clock,
    random,
    transport: bus.transport(node, incarnation),
    mailboxMax: options.mailboxMax ?? 1_000,
    drainMax: options.drainMax ?? 100,
    onBug: (error) => bugs.push(error),
  })
  open.push(system)
  return system
}

const met = (system: ActorSystem, node: string): Promise<number> =>
  new Promise((resolve) => {
    const known = system.peers.get(node)
    if (known !== undefined) resolve(known)
    system.onPeer((peer, incarnation) => peer === node && resolve(incarnation))
  })

const echo: Actor = {
  receive: (envelope, ctx) => ctx.reply(envelope, 'echoed', [envelope.payload, envelope.traceparent]),
}

afterEach(async () => {
  for (const system of open.splice(0)) await system.close()
  expect(bugs.splice(0)).toEqual([])
})

describe('the actor system', () => {
  test('asks are answered on the same node and across nodes, with their trace', async () => {
    const bus = createLocalBus(clock)
    const [a, b] = [start(bus, 'n1'), start(bus, 'n2')]
    a.spawn('echo', echo)
    b.spawn('echo', echo)
    await met(a, 'n2')
    await met(b, 'n1')
    const local = await a.ask('n1/echo', 'say', { x: 1 }, 1_000)
    expect(local.payload).toEqual([{ x: 1 }, ''])
    const remote = await a.ask('n2/echo', 'say', new Uint8Array([1, 2]), 1_000, '00-aa-bb-01')
    expect(remote).toMatchObject({ msgType: 'echoed', senderId: 'n2/echo', traceparent: '00-aa-bb-01' })
    expect(Array.from((remote.payload as [Uint8Array])[0])).toEqual([1, 2])
  })

  test('forward keeps the origin: the last actor answers the asker', async () => {
    const bus = createLocalBus(clock)
    const [a, b] = [start(bus, 'n1'), start(bus, 'n2')]
    a.spawn('front', { receive: (envelope, ctx) => ctx.forward(envelope, 'n2/echo') })
    b.spawn('echo', echo)
    await met(a, 'n2')
    await met(b, 'n1')
    const reply = await a.ask('n1/front', 'say', 'hi', 1_000)
    expect(reply.senderId).toBe('n2/echo')
  })

  test('one flush follows each drained batch', async () => {
    const turns: string[] = []
    const system = start(createLocalBus(clock), 'n1', 1, { drainMax: 3 })
    const done = new Promise<void>((resolve) => {
      system.spawn('batch', {
        receive: (envelope) => turns.push(String(envelope.payload)),
        flush: () => {
          turns.push('flush')
          if (turns.length >= 7) resolve()
        },
      })
    })
    for (let i = 0; i < 5; i++) system.send('n1/batch', 'item', i)
    await done
    expect(turns).toEqual(['0', '1', '2', 'flush', '3', '4', 'flush'])
  })

  test('refusals: no actor, a full mailbox, a failure, a deadline', async () => {
    const system = start(createLocalBus(clock), 'n1', 1, { mailboxMax: 1 })
    system.spawn('mute', { receive: () => undefined })
    system.spawn('no', { receive: (envelope, ctx) => ctx.fail(envelope, 'FORBIDDEN', 'not you') })
    const code = async (path: string, timeoutMs = 1_000) =>
      system.ask(`n1/${path}`, 'x', null, timeoutMs).then(
        () => 'answered',
        (error: unknown) => (error instanceof TricordError ? `${error.code} ${error.outcome}` : String(error)),
      )
    expect(await code('nobody')).toBe('STARTING not-applied')
    expect(await code('no')).toBe('FORBIDDEN not-applied')
    const both = [code('mute', 20), code('mute', 20)]
    expect(await Promise.all(both)).toEqual(['UNKNOWN_OUTCOME unknown', 'OVERLOADED not-applied'])
    expect(system.stats.deadLetters).toMatchObject({ 'no-actor': 1, 'mailbox-full': 1 })
  })

  test('a flood does not stop the clock of an actor: its own timer finds room in a full mailbox', async () => {
    const time = new ManualClock()
    const system = start(createLocalBus(time), 'n1', 1, { mailboxMax: 4, clock: time })
    let ticks = 0
    system.spawn('ticking', {
      receive({ msgType }, ctx) {
        if (msgType === 'tick' && ++ticks < 3) ctx.after(10, 'tick')
      },
    })
    system.send('n1/ticking', 'tick', null)
    await time.settle()
    for (let i = 1; i < 3; i++) {
      // Due in the same moment as the tick, and before it.
      for (let noise = 0; noise < 10; noise++) system.send('n1/ticking', 'noise', null)
      time.jump(10)
      await time.settle()
    }
    expect([ticks, system.stats.deadLetters['mailbox-full']]).toEqual([3, 12])
  })

  test('a frame for a past life of a node is dropped', async () => {
    const bus = createLocalBus(clock)
    const a = start(bus, 'n1')
    const first = start(bus, 'n2', 1)
    await met(a, 'n2')
    await met(first, 'n1')
    const heard: string[] = []
    await first.close()
    const second = start(bus, 'n2', 2)
    second.spawn('log', { receive: (envelope: Envelope) => heard.push(String(envelope.payload)) })
    a.send('n2/log', 'x', 'for the first life')
    const again = new Promise<void>((resolve) => a.onPeer((_, incarnation) => incarnation === 2 && resolve()))
    await again
    await met(second, 'n1')
    second.spawn('echo', echo)
    a.send('n2/log', 'x', 'for the second')
    await a.ask('n2/echo', 'x', null, 1_000)
    expect(heard).toEqual(['for the second'])
  })

  test('an answer to a question of a past life settles no question of this one', async () => {
    const bus = createLocalBus(clock)
    const b = start(bus, 'n2')
    const first = start(bus, 'n1', 1)
    const held: Envelope[] = []
    let answerLate = (): void => undefined
    b.spawn('slow', {
      receive: (envelope, ctx) => {
        held.push(envelope)
        answerLate = () => ctx.enter(() => ctx.reply(held[0] as Envelope, 'answer', 'to the first life'))
      },
    })
    await met(first, 'n2')
    await met(b, 'n1')
    const lost = first.ask('n2/slow', 'question', 'of the first life', 60_000).catch((error: unknown) => error)
    while (held.length < 1) await new Promise<void>((resolve) => clock.defer(resolve))
    await first.close()
    expect(await lost).toMatchObject({ code: 'UNKNOWN_OUTCOME' })
    const second = start(bus, 'n1', 2)
    while (b.peers.get('n1') !== 2) await new Promise<void>((resolve) => clock.defer(resolve))
    await met(second, 'n2')
    const asked = second.ask('n2/slow', 'question', 'of the second life', 1_000)
    while (held.length < 2) await new Promise<void>((resolve) => clock.defer(resolve))
    answerLate()
    b.spawn('honest', { receive: (envelope, ctx) => ctx.reply(envelope, 'answered', null) })
    await second.ask('n2/honest', 'x', null, 1_000)
    expect(second.stats.deadLetters).toMatchObject({ 'late-reply': 1 })
    await second.close()
    expect(await asked.catch((error: unknown) => error)).toMatchObject({ code: 'UNKNOWN_OUTCOME' })
  })

  test('what is too large to be sent is said to the asker: a question not sent, an answer lost', async () => {
    const bus = createLocalBus(clock)
    const [a, b] = [start(bus, 'n1'), start(bus, 'n2')]
    const applied: number[] = []
    b.spawn('large', {
      receive: (envelope, ctx) => {
        applied.push(1)
        ctx.reply(envelope, 'answer', new Uint8Array(8_400_000))
      },
    })
    await met(a, 'n2')
    await met(b, 'n1')
    const question = a.ask('n2/large', 'x', new Uint8Array(8_400_000), 60_000)
    await expect(question).rejects.toMatchObject({ code: 'TOO_LARGE', outcome: 'not-applied' })
    expect(applied).toEqual([])
    await expect(a.ask('n2/large', 'x', null, 60_000)).rejects.toMatchObject({ code: 'UNKNOWN_OUTCOME', outcome: 'unknown' })
    expect(applied).toEqual([1])
    expect([a.stats.deadLetters['too-large'], b.stats.deadLetters['too-large']]).toEqual([1, 1])
  })

  test('an actor that stops refuses what it has not read, and its timers end with it', async () => {
    const system = start(createLocalBus(clock), 'n1', 1, { drainMax: 1 })
    system.spawn('brief', {
      receive: (_, ctx) => {
        ctx.after(0, 'tick')
        system.stop('brief')
      },
    })
    const asked = system.ask('n1/brief', 'a', null, 50).catch((error: TricordError) => error.code)
    const refused = system.ask('n1/brief', 'b', null, 60_000).catch((error: TricordError) => error.code)
    system.send('n1/brief', 'c', null)
    expect(await refused).toBe('STARTING')
    expect(await asked).toBe('UNKNOWN_OUTCOME')
    expect(system.stats.deadLetters).toMatchObject({ 'no-actor': 2 })
  })

  test('nothing is shared: what the sender changes afterwards is not what was sent', async () => {
    const system = start(createLocalBus(clock), 'n1')
    system.spawn('echo', echo)
    const bytes = new Uint8Array([1, 2, 3])
    const list = [bytes, { x: 1 }] as const
    const asked = system.ask('n1/echo', 'say', list, 1_000)
    bytes.fill(9)
    ;(list[1] as { x: number }).x = 9
    expect((await asked).payload).toMatchObject([[{ 0: 1, 1: 2, 2: 3 }, { x: 1 }], ''])
  })

  test('another cluster on the same bus is not heard', async () => {
    const bus = createLocalBus(clock)
    const a = start(bus, 'n1')
    start(bus, 'n2', 1, { cluster: 'other' })
    const c = start(bus, 'n3')
    await met(a, 'n3')
    await met(c, 'n1')
    expect([...a.peers.keys()]).toEqual(['n3'])
  })

  test('promises come back in as turns of the actor, callbacks before its flush', async () => {
    const order: string[] = []
    const system = start(createLocalBus(clock), 'n1')
    const done = new Promise<void>((resolve) => {
      const actor: Actor = {
        receive: (_: Envelope, ctx: ActorContext) => {
          ctx.pipeToSelf(Promise.resolve('value'), (value) => order.push(value))
          ctx.pipeToSelf(
            Promise.reject(new Error('no')),
            () => order.push('wrong'),
            (error) => order.push(error.message),
          )
        },
        flush: () => {
          order.push('flush')
          if (order.includes('value') && order.includes('no')) resolve()
        },
      }
      system.spawn('a', actor)
    })
    system.send('n1/a', 'go', null)
    await done
    expect(order[0]).toBe('flush')
    expect(order.slice(1).filter((word) => word !== 'flush')).toEqual(['value', 'no'])
    expect(order.at(-1)).toBe('flush')
  })

  test('an exception out of receive is a bug', async () => {
    const system = start(createLocalBus(clock), 'n1')
    system.spawn('broken', {
      receive: () => {
        throw new Error('boom')
      },
    })
    system.spawn('echo', echo)
    system.send('n1/broken', 'x', null)
    await system.ask('n1/echo', 'x', null, 10).catch(() => undefined)
    expect(bugs.splice(0).map(String)).toEqual(['Error: boom'])
  })

  test('a child system behind a port: asks go both ways, replies of other nodes find it', async () => {
    const bus = createLocalBus(clock)
    const [a, b] = [start(bus, 'n1'), start(bus, 'n2')]
    b.spawn('echo', echo)
    await met(a, 'n2')
    await met(b, 'n1')
    const { port1, port2 } = new MessageChannel()
    const parentEnd = createPortTransport('n1', 1, port1)
    a.attach('n1:gw', parentEnd)
    const transport = createPortTransport('n1:gw', 1, port2)
    const child = createActorSystem({
      node: 'n1:gw',
      incarnation: 1,
      cluster: 'test',
      clock,
      random,
      transport,
      mailboxMax: 100,
      drainMax: 10,
      onBug: (error) => bugs.push(error),
    })
    open.push(child)
    await met(child, 'n1')
    child.spawn('echo', echo)
    expect((await child.ask('n2/echo', 'say', 'far', 1_000)).payload).toEqual(['far', ''])
    expect((await a.ask('n1:gw/echo', 'say', 'down', 1_000)).senderId).toBe('n1:gw/echo')
    expect((await b.ask('n1:gw/echo', 'say', 'across', 1_000)).payload).toEqual(['across', ''])
    await child.close()
    await parentEnd.close()
  })
})
