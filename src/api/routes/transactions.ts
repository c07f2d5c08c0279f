/** `/tx`: operations on queues and caches that happen together or not at all, where one `{tag}` puts them into one partition. */
import type { Hono } from 'hono'
import type { TransactionOp } from '../../queue/types.ts'
import type { Op } from '../../transaction/types.ts'
import { newValue } from '../cache-values.ts'
import { invalid } from '../errors.ts'
import { type Gateway, expectReply, runTransaction } from '../gateway.ts'
import { queueOptions } from '../queue-calls.ts'
import { type Enqueuing, newMessage, newMessages } from '../queue-messages.ts'
import { opBodies } from '../queue-schemas.ts'
import { type Env, namespaceOf, readJson, transactionKeyOf } from '../request.ts'
import { validate } from '../schemas.ts'

const ONE_OF = 'one of enqueue, ack, cachePut, requireFence'

export function transactionRoutes(app: Hono<Env>, gateway: Gateway, prefix: string): void {
  app.post(`${prefix}/tx`, async (c) => {
    const raw = await readJson(c)
    const namespace = namespaceOf(c)
    const traceparent = c.get('traceparent')
    const enqueuing = { at: gateway.backend.clock.wall(), traceparent: traceparent || (c.req.header('traceparent') ?? '') }
    const ops = validate(opBodies.tx, raw).ops.map((op, at) => readOp(op, `ops.${at}`, namespace, enqueuing))
    const key = transactionKeyOf(c, namespace, raw)
    const options = queueOptions(gateway, { ...(key && { key }), traceparent })
    const { results, receipt } = expectReply(await runTransaction(gateway, { type: 'tx', ops }, options), 'transacted')
    return c.json({ results, receipt })
  })
}

/** One operation, named by its only member. */
function readOp(op: Readonly<Record<string, unknown>>, path: string, namespace: string, enqueuing: Enqueuing): Op {
  const names = Object.keys(op)
  const [name = ''] = names
  const value = op[name]
  const at = `${path}.${name}`
  if (names.length !== 1) throw invalid([{ path, message: ONE_OF }])
  switch (name) {
    case 'enqueue':
      return readEnqueue(value, at, namespace, enqueuing)
    case 'ack': {
      const { queue, items, fence = null } = validate(opBodies.ack, value, at)
      return { type: 'queue_ack', namespace, queue, items, fence }
    }
    case 'requireFence':
      return { type: 'require_fence', fence: validate(opBodies.requireFence, value, at) }
    case 'cachePut': {
      const { cache, key, ...given } = validate(opBodies.cachePut, value, at)
      return { type: 'cache_put', namespace, cache, key, value: newValue(given, `${at}.`) }
    }
    default:
      throw invalid([{ path: at, message: `no such operation: ${ONE_OF}` }])
  }
}

function readEnqueue(value: unknown, path: string, namespace: string, enqueuing: Enqueuing): TransactionOp {
  if (typeof value === 'object' && value !== null && 'messages' in value) {
    const { queue, messages } = validate(opBodies.enqueueMany, value, path)
    return { type: 'queue_enqueue', namespace, queue, messages: newMessages(messages, `${path}.messages.`, enqueuing) }
  }
  const { queue, ...message } = validate(opBodies.enqueueOne, value, path)
  return { type: 'queue_enqueue', namespace, queue, messages: [newMessage(message, `${path}.`, enqueuing)] }
}
