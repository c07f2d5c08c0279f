/**
 * Session secrets. The client holds `<id>.<secret>`; the log and the state machines only ever see a hash of the secret, so
 * whoever reads a disk or a snapshot cannot act for a session.
 */
import { createHmac, hash } from 'node:crypto'
import { TricordError } from '../base/errors.ts'
import type { Random } from '../io/random.ts'
import type { SessionProof } from '../lock/types.ts'

const SECRET_BYTES = 16
const TOKEN = /^(s_[A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{16,64})$/

export interface Secret {
  readonly text: string
  readonly proof: string
}

export function proofOf(secret: string): string {
  return hash('sha256', secret, 'base64url').slice(0, 22)
}

export function newSecret(random: Random): Secret {
  const text = Buffer.from(random.bytes(SECRET_BYTES)).toString('base64url')
  return { text, proof: proofOf(text) }
}

/**
 * The secret of what is done under an idempotency key: the same each time and on every node, so that the same key gives the same
 * answer. Keys are guessable (an order's number), so it takes the cluster's own secret to make it.
 */
export function secretOfKey(clusterSecret: string, namespace: string, key: string): Secret {
  const text = createHmac('sha256', clusterSecret).update(`${namespace}\n${key}`).digest('base64url').slice(0, 22)
  return { text, proof: proofOf(text) }
}

/** The secret of a token that `readToken` has taken. */
export function secretIn(token: string): string {
  return token.slice(token.indexOf('.') + 1)
}

/** The claim in a `Tricord-Session` header; UNAUTHENTICATED where it is not `<id>.<secret>`. */
export function readToken(token: string): SessionProof {
  const match = TOKEN.exec(token)
  if (!match) throw new TricordError('UNAUTHENTICATED', 'Tricord-Session must be <id>.<secret>, as the server gave it')
  return { id: match[1] ?? '', proof: proofOf(match[2] ?? '') }
}
