/** `queue.*`: the calls of `/queues/{q}/…` without a promise on the hot path, and subscriptions. */
import { TricordError } from '../../base/errors.ts'
import type { Answered, QueueCommand, QueueName } from '../../queue/types.ts'
import { invalid } from '../errors.ts'
import { type Gateway, expectReply } from '../gateway.ts'
import {
  type Answer,
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
  queueOptions,
  settledAnswer,
} from '../queue-calls.ts'
import { ackBody, creditBody, dequeueBody, extendBody, nackBody, subscribeBody, unsubscribeBody } from '../queue-schemas.ts'
import { validate } from '../schemas.ts'
import type { SocketCall } from './call.ts'
import type { Caller, Operations } from './operations.ts'
import { CREDIT_MAX } from './subscriptions.ts'

export const queueOperations: Operations = {
  'queue.enqueue': enqueue,
  'queue.dequeue': dequeue,
  'queue.ack': ack,
  'queue.nack': nack,
  'queue.extend': extend,
  'queue.subscribe': subscribe,
  'queue.unsubscribe': unsubscribe,
  'queue.credit': credit,
}

function optionsOf(call: SocketCall, gateway: Gateway, action: string, waitMs = 0) {
  const key = call.queueKey(action)
  return queueOptions(gateway, { ...(key && { key }), traceparent: call.span ? call.traceparent : '' }, waitMs)
}

function submit(call: SocketCall, { gateway }: Caller, action: string, command: QueueCommand, answerOf: (reply: Answered) => Answer): void {
  gateway.backend.queues.submit(command, optionsOf(call, gateway, action), (reply) => {
    if (reply instanceof TricordError) call.fail(reply)
    else call.attempt(() => call.answer(answerOf(reply)))
  })
}

function enqueue(call: SocketCall, caller: Caller): void {
  const enqueuing = { at: caller.gateway.backend.clock.wall(), traceparent: call.traceparent }
  const command = enqueueCommand(call.queueName(), call.queueBody(), enqueuing)
  submit(call, caller, 'enqueue', command, (reply) => enqueuedAnswer(reply, command.isBatch))
}

function dequeue(call: SocketCall, { gateway, subscriptions }: Caller): void {
  const name = call.queueName()
  const command = dequeueCommand(name, validate(dequeueBody, call.queueBody()), subscriptions.watcher())
  const options = optionsOf(call, gateway, 'dequeue', command.waitMs)
  const isNamed = options.idempotencyKey !== undefined
  let isGivenUp = false
  const submission = gateway.backend.queues.submit(command, options, (reply) => {
    if (reply instanceof TricordError) return call.fail(reply)
    call.attempt(() => {
      const { messages } = expectReply(reply, 'delivered')
      // Under a key it can be asked for again.
      if (isGivenUp && !isNamed) return giveBack(gateway, name, messages)
      linkDelivered(gateway, name, call.span, reply)
      call.answer(deliveredAnswer(reply))
      if (!isNamed) subscriptions.unwritten(name, messages)
    })
  })
  call.cancel = () => {
    isGivenUp = true
    submission.cancel()
  }
}

function ack(call: SocketCall, caller: Caller): void {
  const command = ackCommand(call.queueName(), validate(ackBody, call.queueBody()))
  linkSettled(caller.gateway, command, call.span)
  submit(call, caller, 'ack', command, (reply) => settledAnswer(command, reply))
}

function nack(call: SocketCall, caller: Caller): void {
  const command = nackCommand(call.queueName(), validate(nackBody, call.queueBody()))
  submit(call, caller, 'nack', command, (reply) => settledAnswer(command, reply))
}

function extend(call: SocketCall, caller: Caller): void {
  const command = extendCommand(call.queueName(), validate(extendBody, call.queueBody()))
  submit(call, caller, 'extend', command, (reply) => settledAnswer(command, reply))
}

/** A queue that is not there is refused now: later there would be nobody to tell. */
function subscribe(call: SocketCall, { gateway, subscriptions }: Caller): void {
  const name: QueueName = call.queueName()
  const { credit: first, visibilityMs = null, consumer = '' } = validate(subscribeBody, call.queueBody())
  let isGivenUp = false
  call.cancel = () => {
    isGivenUp = true
  }
  const options = { timeoutMs: gateway.settings.commandTimeoutMs, consistency: 'linearizable', traceparent: '' } as const
  gateway.backend.queues.status(name, options).then(
    () => {
      if (isGivenUp) return
      call.attempt(() => {
        const subscription = subscriptions.add({ ...name, credit: first, visibilityMs, consumer })
        call.answer({ sub: subscription.terms.sub, credit: first })
        subscription.ask()
      })
    },
    (error: unknown) => call.fail(error),
  )
}

function unsubscribe(call: SocketCall, { subscriptions }: Caller): void {
  const { sub } = call.body(unsubscribeBody, false)
  subscriptions.remove(sub)
  call.answer({ unsubscribed: true })
}

function credit(call: SocketCall, { subscriptions }: Caller): void {
  const { sub, credit: more } = call.body(creditBody, false)
  const subscription = subscriptions.get(sub)
  const left = CREDIT_MAX - subscription.credit
  if (more > left) throw invalid([{ path: 'credit', message: `this subscription may have ${left} more, ${CREDIT_MAX} in all` }])
  subscription.addCredit(more)
  call.answer({ credit: subscription.credit })
}
