/**
 * The session of one connection.
 *
 *            first acquire, session.open ─> opening ─┐                 ┌─ every ttl/3: keepalive
 *   none ──<                                          >─ open (own) ──<
 *            session.resume ──────────────> resuming ─┘                └─ session.close, SESSION_EXPIRED ─> none
 *
 *   Tricord-Session came with the connection: open (foreign); its owner keeps it alive and ends it.
 *
 * While a change is under way everything that needs the session stands in line behind it, in the order it came. The end
 * of the connection leaves an own session alone: it lingers until the leases of its grants have ended, so that another
 * connection can resume it.
 */
import { TricordError } from '../../base/errors.ts'
import type { Millis } from '../../base/ids.ts'
import type { Timer } from '../../io/clock.ts'
import type { Answered, LockCommand, Metadata, SessionProof } from '../../lock/types.ts'
import { type Gateway, expectReply } from '../gateway.ts'
import { newSecret, readToken } from '../session-token.ts'

const KEEPALIVES_PER_TTL = 3

export interface OpenSession {
  readonly proof: SessionProof
  /** `<id>.<secret>`. */
  readonly token: string
  readonly isOwn: boolean
  /** 0: not known (a foreign one that was never asked). */
  readonly ttlMs: Millis
}

export interface SessionOptions {
  readonly ttlMs: Millis
  readonly name: string
  readonly metadata: Metadata | null
}

export type Settled<T> = (result: T | TricordError) => void

export class SocketSession {
  readonly #gateway: Gateway
  readonly #onExpired: (id: string) => void
  #open: OpenSession | null
  #line: (() => void)[] | null = null
  #timer: Timer | null = null
  #ended = false

  /** `token` is of the session that came with the connection, or null. */
  constructor(gateway: Gateway, token: string | null, onExpired: (id: string) => void) {
    this.#gateway = gateway
    this.#onExpired = onExpired
    this.#open = token === null ? null : { proof: readToken(token), token, isOwn: false, ttlMs: 0 }
  }

  /** Now, or as soon as no change is under way. */
  settled(then: (session: OpenSession | null) => void): void {
    if (this.#line) this.#line.push(() => this.settled(then))
    else then(this.#open)
  }

  /** The session, opened where there is none. */
  ensure(namespace: string, options: SessionOptions, then: Settled<OpenSession>): void {
    this.settled((session) => {
      if (session) then(session)
      else this.#openOwn(namespace, options, then)
    })
  }

  /** Makes the session of another connection, that ended, the one of this. */
  resume(token: string, then: Settled<OpenSession>): void {
    const proof = readToken(token)
    this.settled((session) => {
      if (session && session.proof.id !== proof.id) {
        return then(new TricordError('CONFIG_CONFLICT', `this connection has session ${session.proof.id}: resume before the first acquire`))
      }
      this.#change({ type: 'session_keepalive', session: proof }, (reply) => {
        if (reply instanceof TricordError) return then(reply)
        const isOwn = session?.isOwn ?? true
        then(this.#begin({ proof, token, isOwn, ttlMs: expectReply(reply, 'alive').remainingMs }))
      })
    })
  }

  /** Of the session that is claimed; null: of this connection's. */
  keepalive(claim: SessionProof | null, then: Settled<Answered>): void {
    this.settled((own) => {
      const session = claim ?? own?.proof
      if (!session) return then(noSession())
      this.#submit({ type: 'session_keepalive', session }, this.#gateway.settings.commandTimeoutMs, (reply) => {
        if (own?.proof.id === session.id && reply instanceof TricordError) this.failed(own, reply)
        then(reply)
      })
    })
  }

  /** Ends it and all it owns; where it was this connection's, the next acquire opens another. */
  close(claim: SessionProof | null, then: Settled<Answered>): void {
    this.settled((own) => {
      const session = claim ?? own?.proof
      if (!session) return then(noSession())
      this.#change({ type: 'session_close', session }, (reply) => {
        if (own?.proof.id === session.id) {
          if (reply instanceof TricordError) this.failed(own, reply)
          else this.#drop()
        }
        then(reply)
      })
    })
  }

  /** A command of that session was refused: an own session that has expired is forgotten, the next acquire opens another. */
  failed(session: OpenSession, error: TricordError): void {
    if (error.code !== 'SESSION_EXPIRED' || !session.isOwn || this.#open?.proof.id !== session.proof.id) return
    this.#drop()
    this.#onExpired(session.proof.id)
  }

  /** The connection ended. */
  end(): void {
    this.#ended = true
    this.#line = null
    this.#drop()
  }

  #openOwn(namespace: string, { ttlMs, name, metadata }: SessionOptions, then: Settled<OpenSession>): void {
    const secret = newSecret(this.#gateway.backend.random)
    const command = { type: 'session_open', namespace, proof: secret.proof, ttlMs, lingers: true, name, metadata } as const
    this.#change(command, (reply) => {
      if (reply instanceof TricordError) return then(reply)
      const opened = expectReply(reply, 'opened')
      const proof = { id: opened.session, proof: secret.proof }
      if (this.#ended) return this.#closeUnused(proof)
      then(this.#begin({ proof, token: `${opened.session}.${secret.text}`, isOwn: true, ttlMs: opened.ttlMs }))
    })
  }

  /** Nobody ever heard of it. */
  #closeUnused(session: SessionProof): void {
    this.#submit({ type: 'session_close', session }, this.#gateway.settings.commandTimeoutMs, () => {})
  }

  #begin(session: OpenSession): OpenSession {
    if (this.#ended) return session
    this.#timer?.cancel()
    this.#open = session
    if (session.isOwn) this.#keep(session)
    return session
  }

  #drop(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#open = null
  }

  #keep(session: OpenSession): void {
    const everyMs = session.ttlMs / KEEPALIVES_PER_TTL
    this.#timer = this.#gateway.backend.clock.after(everyMs, () => {
      this.#keep(session)
      this.#submit({ type: 'session_keepalive', session: session.proof }, everyMs, (reply) => {
        if (reply instanceof TricordError) this.failed(session, reply)
      })
    })
  }

  /** Runs a command with everybody else in line behind it. */
  #change(command: LockCommand, done: Settled<Answered>): void {
    this.#line = []
    this.#submit(command, this.#gateway.settings.commandTimeoutMs, (reply) => {
      const line = this.#line ?? []
      this.#line = null
      done(reply)
      for (const run of line) run()
    })
  }

  #submit(command: LockCommand, timeoutMs: Millis, done: Settled<Answered>): void {
    this.#gateway.backend.locks.submit(command, { timeoutMs }, done)
  }
}

function noSession(): TricordError {
  return new TricordError('NOT_FOUND', 'this connection has no session: session.open, session.resume or an acquire gives it one')
}
