/**
 * The lock manager as one would say it, in arrays: every question is answered by looking at everything. Slow, and
 * written from `docs/locks.md` alone; the real machine is compared with it.
 */
import type { AcquireCommand, GrantView, HolderView, LockCommand, LockReply, LockStatus, Metadata, Mode } from '../../src/lock/types.ts'
import type { ErrorCode } from '../../src/base/errors.ts'
import { LIMITS, MODES } from '../../src/lock/types.ts'
import { ownerTag } from '../../src/lock/ids.ts'

const PAIRS: readonly (readonly [Mode, readonly Mode[]])[] = [
  ['intent-shared', ['intent-shared', 'intent-exclusive', 'shared', 'shared-intent-exclusive', 'update']],
  ['intent-exclusive', ['intent-shared', 'intent-exclusive']],
  ['shared', ['intent-shared', 'shared', 'update']],
  ['shared-intent-exclusive', ['intent-shared']],
  ['update', ['intent-shared', 'shared']],
]

function compatible(a: Mode, b: Mode): boolean {
  return PAIRS.some(([mode, with_]) => mode === a && with_.includes(b))
}

function coversNaively(held: Mode, wanted: Mode): boolean {
  return MODES.every((other) => compatible(wanted, other) || !compatible(held, other))
}

interface Hold {
  namespace: string
  name: string
  mode: Mode
  owner: string
  session: number
  proof: string
  token: number
  since: number
  deadline: number
  leaseMs: number
  count: number
  metadata: Metadata
}
interface Wait {
  ticket: number
  command: AcquireCommand
  session: number
  since: number
  vkey: number
  deadline: number
}
interface OpenSession {
  number: number
  namespace: string
  proof: string
  ttlMs: number
  lingers: boolean
  deadline: number
}

export class NaiveModel {
  time = 0
  holds: Hold[] = []
  waits: Wait[] = []
  sessions: OpenSession[] = []
  lastToken = 0
  lastSession = 0
  settledLog: { ticket: number; reply: LockReply }[] = []

  pass(ms: number): void {
    this.time += ms
    for (;;) {
      const due = [
        ...this.holds.map((hold) => ({ at: hold.deadline, id: hold.token, kind: 2, end: () => this.#drop(hold) })),
        ...this.sessions.map((session) => ({ at: session.deadline, id: session.number, kind: 1, end: () => this.#expire(session) })),
        ...this.waits.map((wait) => ({ at: wait.deadline, id: wait.ticket, kind: 0, end: () => this.#endWait(wait, false) })),
      ].filter(({ at }) => at <= this.time)
      due.sort((a, b) => a.at - b.at || a.id - b.id || a.kind - b.kind)
      if (due[0] === undefined) break
      due[0].end()
    }
    this.#pump()
  }

  run(ticket: number, command: LockCommand): LockReply | null {
    const reply = this.#execute(ticket, command)
    this.#pump()
    return reply
  }

  cancel(ticket: number): void {
    const wait = this.waits.find((each) => each.ticket === ticket)
    if (wait !== undefined) this.#endWait(wait, true)
    this.#pump()
  }

  status(namespace: string, name: string): LockStatus {
    const holds = this.#holdersOf(namespace, name)
    const waits = this.#waitersOf(namespace, name)
    const modes = holds.map(({ mode }) => MODES.indexOf(mode)).sort((a, b) => b - a)
    return {
      name,
      state: holds.length > 0 ? 'held' : 'free',
      mode: modes[0] === undefined ? null : (MODES[modes[0]] as Mode),
      holders: holds.map((hold) => this.#holderView(hold)),
      waiters: waits.map(({ command, since }, at) => ({
        owner: command.owner,
        mode: command.items.find((item) => item.name === name)?.mode as Mode,
        position: at + 1,
        priority: command.priority,
        waitedMs: this.time - since,
      })),
      queueLength: waits.length,
      holderCount: holds.length,
    }
  }

  #execute(ticket: number, command: LockCommand): LockReply | null {
    switch (command.type) {
      case 'lock_acquire':
        return this.#acquire(ticket, command)
      case 'lock_release':
      case 'lock_renew':
        return this.#onGrant(command)
      case 'session_open': {
        this.lastSession += 1
        const { namespace, proof, ttlMs, lingers } = command
        this.sessions.push({ number: this.lastSession, namespace, proof, ttlMs, lingers, deadline: this.time + ttlMs })
        return { type: 'opened', session: `s_${this.lastSession.toString(36)}`, ttlMs }
      }
      default:
        return this.#onSession(command)
    }
  }

  #acquire(ticket: number, command: AcquireCommand): LockReply | null {
    let session = 0
    if (command.session !== null) {
      const found = this.#findSession(command.session)
      if ('code' in found) return found
      if ('token' in found) return no('INVALID_ARGUMENT')
      if (found.namespace !== command.namespace) return no('FORBIDDEN')
      session = found.number
      const { owner } = command
      if (owner !== '' && this.waits.some((wait) => wait.session === session && wait.command.owner === owner)) return no('OWNER_BUSY')
    }
    for (const { name, mode } of command.items) {
      const own = this.#ownHold(command, session, name)
      if (own === undefined) continue
      if (!command.reentrant || !coversNaively(own.mode, mode)) return no('ALREADY_HELD', { grant: this.#grantView(own) })
      if (own.count === LIMITS.reentryMax) return no('QUOTA', { name })
    }
    const wait: Wait = {
      ticket,
      command,
      session,
      since: this.time,
      vkey: this.time - command.priority * 1000,
      deadline: this.time + command.waitMs,
    }
    const blocker = this.#blocker(wait)
    if (blocker === undefined) return this.#grant(wait)
    if (command.waitMs === 0) return no('LOCK_HELD', this.#contention(command.namespace, blocker))
    this.waits.push(wait)
    return null
  }

  #ownHold(command: AcquireCommand, session: number, name: string): Hold | undefined {
    if (session === 0 || command.owner === '') return undefined
    return this.#holdersOf(command.namespace, name).find((hold) => hold.session === session && hold.owner === command.owner)
  }

  /** The first name that stands against the request. */
  #blocker(wait: Wait): string | undefined {
    const { namespace, items } = wait.command
    return items.find(({ name, mode }) => {
      const own = this.#ownHold(wait.command, wait.session, name)
      if (own !== undefined && wait.command.reentrant && coversNaively(own.mode, mode)) return false
      if (this.#holdersOf(namespace, name).some((hold) => !compatible(hold.mode, mode))) return true
      return this.#waitersOf(namespace, name).some((other) => {
        if (other.vkey > wait.vkey || (other.vkey === wait.vkey && other.ticket >= wait.ticket)) return false
        return other.command.items.some((item) => item.name === name && !compatible(item.mode, mode))
      })
    })?.name
  }

  #grant({ command, session, since }: Wait): LockReply {
    const grants = command.items.map(({ name, mode }) => {
      const own = this.#ownHold(command, session, name)
      if (own !== undefined) {
        own.count += 1
        own.deadline = Math.max(own.deadline, this.time + command.leaseMs)
        return this.#grantView(own)
      }
      this.lastToken += 1
      const { namespace, owner, leaseMs } = command
      const hold: Hold = {
        namespace,
        name,
        mode,
        owner,
        session,
        proof: session === 0 ? command.implicitProof : '',
        token: this.lastToken,
        since: this.time,
        deadline: this.time + leaseMs,
        leaseMs,
        count: 1,
        metadata: command.metadata ?? {},
      }
      this.holds.push(hold)
      return this.#grantView(hold)
    })
    return { type: 'granted', grants, waitedMs: this.time - since }
  }

  #pump(): void {
    for (;;) {
      const next = this.#inOrder(this.waits).find((wait) => this.#blocker(wait) === undefined)
      if (next === undefined) return
      this.waits.splice(this.waits.indexOf(next), 1)
      this.settledLog.push({ ticket: next.ticket, reply: this.#grant(next) })
    }
  }

  #onGrant(command: Extract<LockCommand, { grantId: string }>): LockReply {
    const [, number = '', tag = ''] = /^g_([0-9a-z]+)(?:_([0-9a-z]+))?$/.exec(command.grantId) ?? []
    const token = number === '' || number.startsWith('0') ? NaN : parseInt(number, 36)
    if (!(token <= this.lastToken)) return no('NOT_FOUND', { name: command.name })
    const hold = this.holds.find((each) => each.token === token)
    if (hold === undefined) return this.#deadGrant(command, token, tag)
    if (hold.name !== command.name || hold.namespace !== command.namespace || idOf(hold) !== command.grantId) {
      return no('NOT_FOUND', { name: command.name })
    }
    if (command.session === null) {
      if (hold.session !== 0) return no('NOT_OWNER')
    } else {
      const caller = this.#findSession(command.session)
      const right = 'token' in caller ? caller === hold : 'number' in caller && caller.number === hold.session
      if (!right) return no('NOT_OWNER')
    }
    if (command.type === 'lock_renew') {
      const leaseMs = command.leaseMs ?? hold.leaseMs
      hold.deadline = this.time + leaseMs
      return { type: 'renewed', remainingMs: leaseMs, token }
    }
    hold.count -= 1
    if (hold.count === 0) this.#drop(hold)
    return { type: 'released', count: hold.count, heldMs: this.time - hold.since }
  }

  #deadGrant(command: Extract<LockCommand, { grantId: string }>, token: number, tag: string): LockReply {
    let session = 0
    if (command.session !== null && !command.session.id.startsWith('s_g_')) {
      const caller = this.#findSession(command.session)
      if ('code' in caller) return caller
      if ('number' in caller) session = caller.number
    }
    const { namespace, name } = command
    const newer = this.#holdersOf(namespace, name).find(
      (hold) =>
        hold.token > token && hold.session === session && (session !== 0 || (tag !== '' && ownerTag(hold.owner).toString(36) === tag)),
    )
    return newer === undefined ? no('LEASE_EXPIRED', { name }) : no('STALE_GRANT', { name, grantId: idOf(newer) })
  }

  #onSession(command: Extract<LockCommand, { type: 'session_keepalive' | 'session_close' }>): LockReply {
    const found = this.#findSession(command.session)
    if ('code' in found) return found
    if (command.type === 'session_keepalive') {
      const forMs = 'token' in found ? found.leaseMs : found.ttlMs
      found.deadline = this.time + forMs
      return { type: 'alive', remainingMs: forMs }
    }
    if ('token' in found) {
      this.#drop(found)
      return { type: 'closed', released: 1 }
    }
    const released = this.holds.filter((hold) => hold.session === found.number).length
    this.#end(found)
    return { type: 'closed', released }
  }

  #findSession({ id, proof }: { id: string; proof: string }): OpenSession | Hold | Extract<LockReply, { type: 'refused' }> {
    const hold = this.holds.find((each) => each.session === 0 && id === `s_${idOf(each)}`)
    const found = hold ?? this.sessions.find((each) => id === `s_${each.number.toString(36)}`)
    if (found === undefined) return no('SESSION_EXPIRED')
    return found.proof === proof ? found : no('NOT_OWNER')
  }

  #byTicket(session: OpenSession): Wait[] {
    return this.waits.filter((wait) => wait.session === session.number).sort((a, b) => a.ticket - b.ticket)
  }

  #expire(session: OpenSession): void {
    const ends = this.holds.filter((hold) => hold.session === session.number).map(({ deadline }) => deadline)
    if (!session.lingers || Math.max(0, ...ends) <= this.time) return this.#end(session)
    for (const wait of this.#byTicket(session)) this.#endWait(wait, true)
    session.deadline = Math.max(...ends)
  }

  #end(session: OpenSession): void {
    for (const wait of this.#byTicket(session)) {
      this.waits.splice(this.waits.indexOf(wait), 1)
      this.settledLog.push({ ticket: wait.ticket, reply: no('SESSION_EXPIRED') })
    }
    this.holds = this.holds.filter((hold) => hold.session !== session.number)
    this.sessions.splice(this.sessions.indexOf(session), 1)
  }

  #endWait(wait: Wait, isCancelled: boolean): void {
    const { namespace, items } = wait.command
    const first = items[0]?.name as string
    const name = this.#blocker(wait) ?? first
    this.waits.splice(this.waits.indexOf(wait), 1)
    const details = isCancelled ? { name: first } : this.#contention(namespace, name)
    this.settledLog.push({ ticket: wait.ticket, reply: no('WAIT_TIMEOUT', details) })
  }

  #drop(hold: Hold): void {
    this.holds.splice(this.holds.indexOf(hold), 1)
  }

  #contention(namespace: string, name: string): Readonly<Record<string, unknown>> {
    const holders = this.#holdersOf(namespace, name).map((hold) => this.#holderView(hold))
    return { name, holders: holders.slice(0, LIMITS.refusalHoldersMax), queueLength: this.#waitersOf(namespace, name).length }
  }

  #holdersOf(namespace: string, name: string): Hold[] {
    return this.holds.filter((hold) => hold.namespace === namespace && hold.name === name).sort((a, b) => a.token - b.token)
  }

  #waitersOf(namespace: string, name: string): Wait[] {
    return this.#inOrder(this.waits.filter((w) => w.command.namespace === namespace && w.command.items.some((item) => item.name === name)))
  }

  #inOrder(waits: readonly Wait[]): Wait[] {
    return [...waits].sort((a, b) => a.vkey - b.vkey || a.ticket - b.ticket)
  }

  #holderView(hold: Hold): HolderView {
    const { owner, mode, token, count, since, deadline, metadata } = hold
    return {
      owner,
      mode,
      grantId: idOf(hold),
      token,
      count,
      heldMs: this.time - since,
      remainingMs: Math.max(0, deadline - this.time),
      metadata,
    }
  }

  #grantView(hold: Hold): GrantView {
    const { name, mode, owner, token, leaseMs, count } = hold
    const grantId = idOf(hold)
    const session = hold.session === 0 ? `s_${grantId}` : `s_${hold.session.toString(36)}`
    return { name, mode, owner, grantId, token, session, leaseMs, remainingMs: hold.deadline - this.time, count }
  }
}

function idOf({ token, session, owner }: Hold): string {
  return `g_${token.toString(36)}${session === 0 && owner !== '' ? `_${ownerTag(owner).toString(36)}` : ''}`
}

/** Texts of refusals are not compared: '' here. */
function no(code: ErrorCode, details: Readonly<Record<string, unknown>> = {}): Extract<LockReply, { type: 'refused' }> {
  return { type: 'refused', code, message: '', details }
}
