/**
 * What the group of a partition replicates: its queues and its caches, side by side. Two machines that know nothing of each
 * other share one log, one time and one store; this file tells apart what belongs to whom.
 *
 *   command   first byte      queues: 1              caches: 0x41              both: 0x81 (transaction/transact.ts)
 *   record    first byte      queues: below 64       caches: from 64 on
 *   reply     first element   queues: below 64       caches: from 64 on        both: 0x80      (views: by the question's type)
 */
import type { Plain } from './actors/envelope.ts'
import type { Millis } from './base/ids.ts'
import type { LineId } from './cache/coherence/protocol.ts'
import { type Line, lineOf, parseLine } from './cache/line-id.ts'
import { VERSION as CACHE_VERSION } from './cache/machine/codes.ts'
import { changeMeant, linesToChange } from './cache/machine/decode.ts'
import { type CacheMachine, createCacheMachine } from './cache/machine/machine.ts'
import { type Gate, gateOf, isCacheReply, isFlushed, keysLeft, maySpare } from './cache/machine/replies.ts'
import type { CacheObserver } from './cache/machine/table.ts'
import type { ChangeReason } from './cache/types.ts'
import { type QueueMachine, type QueueMachineOptions, createQueueMachine } from './queue/machine.ts'
import type { AttachContext, StateMachine } from './raft/machine.ts'
import {
  type MixedReply,
  decodeMixed,
  decodeReply as decodeMixedReply,
  encodeReply as encodeMixedReply,
  isMixed,
} from './transaction/codec.ts'
import { transact } from './transaction/transact.ts'

const CACHE_RECORDS = 64
const NO_LINES: readonly LineId[] = []

/** The coherence of the node, as the machine of one partition sees it. No part of the state. */
export interface PartitionCoherence extends CacheObserver {
  /** A command that would change the line was proposed, and how it would. */
  preparing(line: LineId, cause: ChangeReason): void
  /** A command that would change the line was applied, and may have left it as it was; or was applied before, and is not again. */
  unchanged(line: LineId): void
  /** An invalidation that was applied leaves the line to its owner, and comes again. */
  clearing(line: LineId): void
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
  /** Those that it has changed are told with the others: that was heard before. */
  const spared = (command: Uint8Array): void => {
    for (const line of changedByAny(command)) coherence.unchanged(line)
  }
  const leftToOwners = (command: Uint8Array, reply: Plain): void => {
    const keys = new Set(keysLeft(reply))
    if (keys.size === 0) return
    for (const line of linesToChange(command)) if (keys.has((parseLine(line) as Line).name)) coherence.clearing(line)
  }
  const ownerOf = (bytes: Uint8Array): StateMachine => (bytes[0] === CACHE_VERSION ? caches : queues)
  return {
    queues,
    caches,
    apply(ctx, ticket, command) {
      if (!isMixed(command)) {
        const reply = ownerOf(command).apply(ctx, ticket, command)
        if (reply !== null && isCacheReply(reply) && maySpare(reply)) {
          spared(command)
          leftToOwners(command, reply)
        }
        return reply
      }
      const reply = transact(queues, caches, ctx, ticket, command)
      if (decodeMixedReply(reply) === null) spared(command)
      return reply
    },
    preparing(command) {
      const cause = changeMeant(command)
      for (const line of changedByAny(command)) coherence.preparing(line, cause)
    },
    known: spared,
    // A ticket is unique in the group: the machine that does not know it does nothing.
    cancel: (ctx, ticket) => both.forEach((machine) => machine.cancel(ctx, ticket)),
    advance(ctx) {
      queues.advance(ctx)
      caches.advance(ctx)
    },
    nextDeadline: (): Millis => Math.min(queues.nextDeadline(), caches.nextDeadline()),
    query: (request, time) => (isCacheQuestion(request) ? caches : queues).query(request, time),
    get valueBytes() {
      return caches.stateBytes ?? 0
    },
    get dirty() {
      return queues.dirty + caches.dirty
    },
    get dirtyBytes() {
      return (queues.dirtyBytes ?? 0) + (caches.dirtyBytes ?? 0)
    },
    drain: (write, writeCold) => both.forEach((machine) => machine.drain(write, writeCold)),
    load: (key, value) => ((key[0] as number) >= CACHE_RECORDS ? caches : queues).load(key, value),
    prepare: () => queues.prepare?.() ?? true,
    loaded: () => both.forEach((machine) => machine.loaded()),
    reset: () => both.forEach((machine) => machine.reset()),
    attach(reply, context) {
      const mixed = decodeMixedReply(reply)
      if (mixed === null && !isCacheReply(reply)) return queues.attach(reply, context)
      if (isFlushed(reply)) return caches.attach(reply)
      const opened = coherence.gate(gateOf(reply))
      const complete = () => (mixed === null ? caches.attach(reply) : mixedAttached(queues, mixed, context))
      return opened === null ? complete() : opened.then(complete)
    },
    check: () => both.forEach((machine) => machine.check()),
  }
}

function isCacheQuestion(request: Plain): boolean {
  if (typeof request !== 'object' || request === null || !('type' in request)) return false
  return typeof request.type === 'string' && request.type.startsWith('cache_')
}

/** The lines of which copies may go now. What is refused later has cost a copy. */
function changedByAny(command: Uint8Array): readonly LineId[] {
  if (command[0] === CACHE_VERSION) return linesToChange(command)
  if (!isMixed(command)) return NO_LINES
  const mixed = decodeMixed(command)
  return mixed.type === 'refused' ? NO_LINES : mixed.ops.flatMap((put) => (put === null ? [] : [lineOf(put.command)]))
}

/** The receipt tells who has it on disk as it leaves. */
function mixedAttached(queues: QueueMachine, { queues: reply, puts }: MixedReply, context: AttachContext): Plain | Promise<Plain> {
  const attached = queues.attach(reply, context)
  if (attached instanceof Promise) return attached.then((whole) => encodeMixedReply({ queues: whole, puts }))
  return encodeMixedReply({ queues: attached, puts })
}
