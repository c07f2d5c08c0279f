/** The table of operations: a domain adds its own map, the connection only looks names up. */
import type { Gateway } from '../gateway.ts'
import { emptyBody } from '../schemas.ts'
import type { SocketCall } from './call.ts'
import { cacheOperations } from './cache-operations.ts'
import type { CacheSubscriptions } from './cache-subscriptions.ts'
import { cacheWatchOperations } from './cache-watch-operations.ts'
import { lockOperations } from './lock-operations.ts'
import { queueOperations } from './queue-operations.ts'
import { sessionOperations } from './session-operations.ts'
import type { SocketSession } from './session.ts'
import type { Subscriptions } from './subscriptions.ts'

/** What an operation may use besides its call. */
export interface Caller {
  readonly gateway: Gateway
  readonly session: SocketSession
  readonly subscriptions: Subscriptions
  readonly cacheSubscriptions: CacheSubscriptions
  /** Frames are MessagePack. */
  readonly carriesBytes: boolean
  /** Whether a value of so many bytes may be answered now; then it is counted. */
  readonly takesValue: (bytes: number) => boolean
}

/** Answers the call once, now or later. What it throws is the answer too. */
export type Operation = (call: SocketCall, caller: Caller) => void
export type Operations = Readonly<Record<string, Operation>>

const ping: Operation = (call) => {
  call.body(emptyBody, false)
  call.answer({})
}

export const OPERATIONS: ReadonlyMap<string, Operation> = new Map(
  Object.entries({ ping, ...sessionOperations, ...lockOperations, ...queueOperations, ...cacheOperations, ...cacheWatchOperations }),
)
