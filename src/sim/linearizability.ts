/**
 * Is a history linearizable? Wing and Gong's search with Lowe's memo, as in porcupine: try to linearise each operation that
 * may come first, step the model, and go back where it refuses; a pair (set of linearised operations, state) that was
 * visited once leads nowhere new. Histories are checked per key (linearizability is local).
 *
 *   call a ── call b ── return a ── call c ── return b ── …      a doubly linked list; linearising lifts a pair out
 *
 * An operation of unknown outcome returns at infinity: it may have taken effect at any time after its call, or not at all
 * (a model must accept it in every state).
 */

/** One operation of one key. `call` and `return` are points on one line of time; Infinity: never returned. */
export interface TimedOperation<O> {
  readonly operation: O
  readonly call: number
  readonly return: number
}

export interface Model<S extends string | number, O> {
  readonly initial: S
  /** The state after the operation, or null where its result is impossible. */
  step(state: S, operation: O): S | null
}

export type Verdict = 'linearizable' | 'not linearizable' | 'unknown'

interface Event {
  readonly id: number
  /** The matching return of a call; null for a return. */
  match: Event | null
  previous: Event | null
  next: Event | null
}

interface Step<S> {
  readonly event: Event
  readonly state: S
}

/** `stepsMax` bounds the search; beyond it the verdict is unknown. */
export function checkLinearizable<S extends string | number, O>(
  model: Model<S, O>,
  history: readonly TimedOperation<O>[],
  stepsMax = 2_000_000,
): Verdict {
  const head = link(history)
  const done = new Uint32Array((history.length + 31) >> 5)
  const visited = new Set<string>()
  const stack: Step<S>[] = []
  let state = model.initial
  let event = head.next
  for (let steps = 0; head.next !== null; steps++) {
    if (steps > stepsMax) return 'unknown'
    if (event?.match) {
      const { id } = event
      const next = model.step(state, (history[id] as TimedOperation<O>).operation)
      if (next !== null) {
        done[id >> 5]! |= 1 << (id & 31)
        const key = `${done.join()}|${next}`
        if (!visited.has(key)) {
          visited.add(key)
          stack.push({ event, state })
          state = next
          lift(event)
          event = head.next
          continue
        }
        done[id >> 5]! &= ~(1 << (id & 31))
      }
      event = event.next
      continue
    }
    // A return (or the end) of something not yet linearised: the last choice was wrong.
    const last = stack.pop()
    if (!last) return 'not linearizable'
    state = last.state
    done[last.event.id >> 5]! &= ~(1 << (last.event.id & 31))
    unlift(last.event)
    event = last.event.next
  }
  return 'linearizable'
}

function link<O>(history: readonly TimedOperation<O>[]): Event {
  const points = history.flatMap(({ call, return: end }, id) => [
    { id, at: call, isCall: true },
    { id, at: end, isCall: false },
  ])
  // At one instant calls come first: the operations overlap.
  points.sort((a, b) => (a.at === b.at ? Number(b.isCall) - Number(a.isCall) : a.at - b.at))
  const head: Event = { id: -1, match: null, previous: null, next: null }
  const calls = new Map<number, Event>()
  let last = head
  for (const { id, isCall } of points) {
    const event: Event = { id, match: null, previous: last, next: null }
    last.next = event
    last = event
    const call = calls.get(id)
    if (isCall) calls.set(id, event)
    else if (call) call.match = event
  }
  return head
}

function lift(call: Event): void {
  for (const event of [call, call.match as Event]) {
    ;(event.previous as Event).next = event.next
    if (event.next) event.next.previous = event.previous
  }
}

function unlift(call: Event): void {
  for (const event of [call.match as Event, call]) {
    ;(event.previous as Event).next = event
    if (event.next) event.next.previous = event
  }
}
