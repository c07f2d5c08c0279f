/**
 * Public ids of messages, derived from replicated counters and never stored: `m_<queue>_<seq>`, both in base 36.
 *
 * The first number is that of the queue, of which no two in the cluster have one, and which is never reused; the second the
 * message's place in its queue. Only the canonical spelling is read: one message, one id.
 */

/** Each partition numbers its queues by itself: so many are its own. */
export const QUEUES_PER_PARTITION = 2 ** 32

const DIGITS_MAX = 11
const ZERO = 0x30
const NINE = 0x39
const LOWER_A = 0x61
const LOWER_Z = 0x7a

export interface ParsedMessageId {
  readonly queue: number
  readonly seq: number
}

export function messageId(queue: number, seq: number): string {
  return 'm_' + queue.toString(36) + '_' + seq.toString(36)
}

/** null for a text that is no id. */
export function parseMessageId(id: string): ParsedMessageId | null {
  if (!id.startsWith('m_')) return null
  const end = id.indexOf('_', 2)
  if (end < 0) return null
  const queue = parseNumber(id, 2, end)
  const seq = parseNumber(id, end + 1, id.length)
  return queue === 0 || seq === 0 ? null : { queue, seq }
}

/** A positive safe integer in base 36 without leading zeros, or 0. By hand: it is on the path of every ack. */
function parseNumber(text: string, from: number, to: number): number {
  if (to <= from || to - from > DIGITS_MAX || text.charCodeAt(from) === ZERO) return 0
  let number = 0
  for (let at = from; at < to; at++) {
    const digit = digitOf(text.charCodeAt(at))
    if (digit < 0) return 0
    number = number * 36 + digit
  }
  return Number.isSafeInteger(number) ? number : 0
}

function digitOf(unit: number): number {
  if (unit >= ZERO && unit <= NINE) return unit - ZERO
  return unit >= LOWER_A && unit <= LOWER_Z ? unit - LOWER_A + 10 : -1
}
