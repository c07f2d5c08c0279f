/** `/queues/{q}/…`: put, enqueue, dequeue, settle, look, redrive, purge, delete. */
import type { Hono } from 'hono'
import type { NodeId } from '../../base/ids.ts'
import type { QueueCommand, QueueName, QueueStatus } from '../../queue/types.ts'
import { invalid } from '../errors.ts'
import { type Gateway, expectReply, runQueue } from '../gateway.ts'
import { Wait, answerWithinMs, noAnswerYet, within } from '../long-calls.ts'
import {
  type Answer,
  type QueueScope,
  ackCommand,
  deliveredAnswer,
  dequeueCommand,
  enqueueCommand,
  enqueuedAnswer,
  extendCommand,
  giveBack,
  linkDelivered,
  linkSettled,
  nackCommand,
  putCommand,
  queueOptions,
  settledAnswer,
} from '../queue-calls.ts'
import { browsedMessage } from '../queue-messages.ts'
import {
  ackBody,
  browseQuery,
  confirmQuery,
  dequeueBody,
  extendBody,
  nackBody,
  queueBody,
  queueName,
  queuesQuery,
  redriveBody,
} from '../queue-schemas.ts'
import { QUEUE_LIMITS } from '../../queue/types.ts'
import { type Call, type Env, isGone, namespaceOf, param, queueKeyOf, readJson } from '../request.ts'
import { emptyQuery, validate } from '../schemas.ts'

const LIST_DEFAULT = 100

export function queueRoutes(app: Hono<Env>, gateway: Gateway, prefix: string): void {
  const at = `${prefix}/queues/:queue`
  app.put(at, (c) => put(c, gateway))
  app.post(`${at}/enqueue`, (c) => enqueue(c, gateway))
  app.post(`${at}/dequeue`, (c) => dequeue(c, gateway))
  app.post(`${at}/ack`, async (c) => {
    const [name, raw] = [nameOf(c), await readJson(c)]
    const command = ackCommand(name, validate(ackBody, raw))
    linkSettled(gateway, command, c.get('span'))
    return c.json(settledAnswer(command, await submit(c, gateway, name, raw, command)))
  })
  app.post(`${at}/nack`, async (c) => {
    const [name, raw] = [nameOf(c), await readJson(c)]
    const command = nackCommand(name, validate(nackBody, raw))
    return c.json(settledAnswer(command, await submit(c, gateway, name, raw, command)))
  })
  app.post(`${at}/extend`, async (c) => {
    const [name, raw] = [nameOf(c), await readJson(c)]
    const command = extendCommand(name, validate(extendBody, raw))
    return c.json(settledAnswer(command, await submit(c, gateway, name, raw, command)))
  })
  app.post(`${at}/redrive`, async (c) => {
    const [name, raw] = [nameOf(c), await readJson(c)]
    const { max = QUEUE_LIMITS.redriveMax, reason = '' } = validate(redriveBody, raw)
    const reply = await submit(c, gateway, name, raw, { type: 'queue_redrive', ...name, max, reason })
    return c.json({ moved: expectReply(reply, 'moved').moved })
  })
  app.delete(`${at}/messages`, async (c) => {
    const name = confirmed(c)
    const reply = await submit(c, gateway, name, null, { type: 'queue_purge', ...name })
    return c.json({ purged: expectReply(reply, 'purged').purged })
  })
  app.delete(at, async (c) => {
    const name = confirmed(c)
    expectReply(await submit(c, gateway, name, null, { type: 'queue_delete', ...name }), 'deleted')
    return c.json({ deleted: true })
  })
  readingRoutes(app, gateway, prefix)
}

function readingRoutes(app: Hono<Env>, gateway: Gateway, prefix: string): void {
  const { queues } = gateway.backend
  app.get(`${prefix}/queues`, async (c) => {
    const { cursor = '', limit = LIST_DEFAULT } = validate(queuesQuery, c.req.query())
    const namespace = namespaceOf(c)
    const page = await queues.list(namespace, cursor, limit, readOptions(c, gateway))
    return c.json({ queues: page.queues.map((status) => placed(gateway, namespace, status)), cursor: page.cursor })
  })
  app.get(`${prefix}/queues/:queue`, async (c) => {
    const name = nameOf(c)
    validate(emptyQuery, c.req.query())
    const status = placed(gateway, name.namespace, await queues.status(name, readOptions(c, gateway)))
    return c.json({ ...status, leader: await leaderOf(gateway, name.queue) })
  })
  app.get(`${prefix}/queues/:queue/messages`, async (c) => {
    const { state = 'ready', cursor = '', limit = LIST_DEFAULT } = validate(browseQuery, c.req.query())
    const page = await queues.browse(nameOf(c), { state, cursor, limit }, readOptions(c, gateway))
    return c.json({ messages: page.messages.map(browsedMessage), cursor: page.cursor })
  })
}

const nameOf = (c: Call): QueueName => ({ namespace: namespaceOf(c), queue: validate(queueName, param(c, 'queue'), 'queue') })

function scopeOf(c: Call, name: QueueName, body: unknown): QueueScope {
  const key = queueKeyOf(c, name, body)
  return { ...name, ...(key && { key }), traceparent: c.get('traceparent') }
}

function submit(c: Call, gateway: Gateway, name: QueueName, body: unknown, command: QueueCommand) {
  return runQueue(gateway, command, queueOptions(gateway, scopeOf(c, name, body)))
}

function readOptions(c: Call, gateway: Gateway) {
  return { timeoutMs: gateway.settings.commandTimeoutMs, consistency: 'linearizable', traceparent: c.get('traceparent') } as const
}

async function put(c: Call, gateway: Gateway): Promise<Response> {
  const [name, raw] = [nameOf(c), await readJson(c)]
  const reply = await submit(c, gateway, name, raw, putCommand(name, validate(queueBody, raw)))
  const { created, config } = expectReply(reply, 'put')
  return c.json({ queue: name.queue, created, config }, created ? 201 : 200)
}

async function enqueue(c: Call, gateway: Gateway): Promise<Response> {
  const [name, raw] = [nameOf(c), await readJson(c)]
  // Of its own span where one is sampled, else what the caller sent: the consumer may be traced though this node is not.
  const traceparent = c.get('traceparent') || (c.req.header('traceparent') ?? '')
  const { isBatch, ...command } = enqueueCommand(name, raw, { at: gateway.backend.clock.wall(), traceparent })
  return c.json(enqueuedAnswer(await submit(c, gateway, name, raw, command), isBatch), 201)
}

async function dequeue(c: Call, gateway: Gateway): Promise<Response> {
  const [name, raw] = [nameOf(c), await readJson(c)]
  const command = dequeueCommand(name, validate(dequeueBody, raw), '')
  const scope = scopeOf(c, name, raw)
  // Who named the request can come back for it; else what the caller does not hear of is given back.
  const wait = command.waitMs > 0 && scope.key === undefined ? new Wait(c.req.raw.signal) : null
  const delivered = runQueue(gateway, command, queueOptions(gateway, scope, command.waitMs), (cancel) => wait?.begin(cancel)).then(
    (reply) => {
      if (wait?.isGivenUp || (scope.key === undefined && isGone(c))) giveBack(gateway, name, expectReply(reply, 'delivered').messages)
      return reply
    },
  )
  const limitMs = answerWithinMs(command.waitMs)
  const reply = await (command.waitMs === 0 ? delivered : within(gateway.backend.clock, delivered, limitMs)).finally(() => wait?.end())
  if (reply === null) {
    wait?.giveUp()
    throw noAnswerYet()
  }
  linkDelivered(gateway, name, c.get('span'), reply)
  return c.json(deliveredAnswer(reply))
}

/** What destroys is asked for twice: in the path and by `confirm`. */
function confirmed(c: Call): QueueName {
  const name = nameOf(c)
  const { confirm } = validate(confirmQuery, c.req.query())
  if (confirm !== name.queue) throw invalid([{ path: 'confirm', message: 'must be the name of the queue' }])
  return name
}

function placed(gateway: Gateway, namespace: string, status: QueueStatus): Answer {
  const { config, ...counts } = status
  return { ...counts, partition: gateway.backend.queues.partitionOf({ namespace, queue: status.queue }), config }
}

/** As this node knows it; without a replica here the others are asked. null: just now nobody leads it. */
async function leaderOf({ backend }: Gateway, queue: string): Promise<NodeId | null> {
  const { partition, leader } = await backend.cluster.explain(queue)
  if (leader !== null) return leader
  const { groups } = await backend.cluster.status()
  return groups.find(({ id }) => id === `p${partition}`)?.leader ?? null
}
