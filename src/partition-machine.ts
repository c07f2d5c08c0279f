/**
 * What the group of a partition replicates: its queues and its caches, side by side. Two machines that know nothing of each
 * other share one log, one time and one store; this file tells apart what belongs to whom.
 *
 *   command   first byte      queues: 1              caches: 0x41
 *   record    first byte      queues: below 64       caches: from 64 on
 *   reply     first element   queues: below 64       caches: from 64 on (views are told by the question's type)
 */
import type { Plain } from './actors/envelope.ts'
import type { Millis } from './base/ids.ts'
import type { LineId } from './cache/coherence/protocol.ts'
import { entryLine } from './cache/line-id.ts'
import { VERSION as CACHE_VERSION } from './cache/machine/codes.ts'
import type { CacheCommand, Refused } from './cache/machine/commands.ts'
import { decodeCommand } from './cache/machine/decode.ts'
import { type CacheMachine, createCacheMachine } from './cache/machine/machine.ts'
import { type Gate, gateOf, isCacheReply } from './cache/machine/replies.ts'
import type { CacheObserver } from './cache/machine/table.ts'
import { type QueueMachine, type QueueMachineOptions, createQueueMachine } from './queue/machine.ts'
import type { StateMachine } from './raft/machine.ts'

const CACHE_RECORDS = 64

/** The coherence of the node, as the machine of one partition sees it. No part of the state. */
export interface PartitionCoherence extends CacheObserver {
  /** A command that would change the line was proposed. */
  preparing(line: LineId): void
  /** What an answer waits for before it leaves; null: nothing. */
  gate(gate: Gate): Promise<void> | null
}

export interface PartitionMachineOptions extends QueueMachineOptions {
  readonly coherence: PartitionCoherence
}

export interface PartitionMachine extends StateMachine {
  readonly queues: QueueMachine
  readonly caches: CacheMachine
}

export function createPartitionMachine({ coherence, ...options }: PartitionMachineOptions): PartitionMachine {
  const queues = createQueueMachine(options)
  const caches = createCacheMachine({ observer: coherence })
  const both: readonly [StateMachine, StateMachine] = [queues, caches]
  const ownerOf = (bytes: Uint8Array): StateMachine => (bytes[0] === CACHE_VERSION ? caches : queues)
  return {
    queues,
    caches,
    apply: (ctx, ticket, command) => ownerOf(command).apply(ctx, ticket, command),
    preparing(command) {
      if (ownerOf(command) === caches) for (const line of changedBy(decodeCommand(command))) coherence.preparing(line)
    },
    // A ticket is unique in the group: the machine that does not know it does nothing.
    cancel: (ctx, ticket) => both.forEach((machine) => machine.cancel(ctx, ticket)),
    advance: (ctx) => both.forEach((machine) => machine.advance(ctx)),
    nextDeadline: (): Millis => Math.min(queues.nextDeadline(), caches.nextDeadline()),
    query: (request, time) => (isCacheQuestion(request) ? caches : queues).query(request, time),
    get dirty() {
      return queues.dirty + caches.dirty
    },
    get dirtyBytes() {
      return (queues.dirtyBytes ?? 0) + (caches.dirtyBytes ?? 0)
    },
    drain: (write, writeCold) => both.forEach((machine) => machine.drain(write, writeCold)),
    load: (key, value) => ((key[0] as number) >= CACHE_RECORDS ? caches : queues).load(key, value),
    loaded: () => both.forEach((machine) => machine.loaded()),
    reset: () => both.forEach((machine) => machine.reset()),
    attach: (reply, context) => (isCacheReply(reply) ? gated(coherence, caches, reply) : queues.attach(reply, context)),
    check: () => both.forEach((machine) => machine.check()),
  }
}

function isCacheQuestion(request: Plain): boolean {
  if (typeof request !== 'object' || request === null || !('type' in request)) return false
  return typeof request.type === 'string' && request.type.startsWith('cache_')
}

/** The lines of which copies may go now. What is refused later has cost a copy. */
function changedBy(command: CacheCommand | Refused): readonly LineId[] {
  switch (command.type) {
    case 'cache_put':
    case 'cache_delete':
    case 'cache_increment':
      return [entryLine(command.namespace, command.cache, command.key)]
    case 'cache_invalidate_keys':
      return command.keys.map((key) => entryLine(command.namespace, command.cache, key))
    case 'cache_bump':
      return command.lines
    default:
      return []
  }
}

function gated(coherence: PartitionCoherence, caches: CacheMachine, reply: Plain): Plain | Promise<Plain> {
  const opened = coherence.gate(gateOf(reply))
  return opened === null ? caches.attach(reply) : opened.then(() => caches.attach(reply))
}
