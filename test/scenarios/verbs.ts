/**
 * The verbs of a transcript, one small function each. `Args.words` are the bare words after the verb, `Args.named` the
 * `key=value` pairs. Filters (`from= to= type=`) choose messages; none chooses all.
 */
import { assert } from '../../src/base/assert.ts'
import type { ReplicaId } from '../../src/base/ids.ts'
import { EMPTY_MEMBERSHIP } from '../../src/raft/core/membership.ts'
import type { Entry, Membership, PeerMessage, ProposeResult } from '../../src/raft/core/types.ts'
import { blankDisk, showEntry, type Replica } from './replica.ts'
import { traceCore, traceMessage } from './trace.ts'
import type { World } from './world.ts'

export interface Args {
  readonly words: readonly string[]
  readonly named: ReadonlyMap<string, string>
}

type Verb = (world: World, args: Args) => void

export const VERBS: ReadonlyMap<string, Verb> = new Map<string, Verb>([
  ['options', setOptions],
  ['add-nodes', addNodes],
  ['add-node', addNode],
  ['quiet', (world) => void (world.verbose = false)],
  ['verbose', (world) => void (world.verbose = true)],
  ['campaign', (world, args) => on(world, args, (replica) => replica.core.campaign())],
  ['wake', (world, args) => on(world, args, (replica) => replica.core.wake())],
  ['propose', propose],
  ['propose-many', proposeMany],
  ['membership', proposeMembership],
  ['transfer', transfer],
  ['read', read],
  ['tick', tick],
  ['ready', (world, args) => void each(world, args, (replica) => world.ready(replica))],
  ['persist', persist],
  ['apply', (world, args) => void each(world, args, (replica) => world.apply(replica))],
  ['deliver', deliver],
  ['drop', drop],
  ['hold', hold],
  ['release', release],
  ['stabilize', stabilize],
  ['cut', cut],
  ['mend', (world) => world.cut.clear()],
  ['crash', crash],
  ['restart', restart],
  ['compact', compact],
  ['unreachable', unreachable],
  ['status', (world, args) => void each(world, args, (replica) => world.answer(`${replica.id}: ${traceCore(replica.core)}`))],
  ['log', (world, args) => void each(world, args, (replica) => showLog(world, replica))],
  ['progress', (world, args) => void each(world, args, (replica) => showProgress(world, replica))],
  ['network', (world) => showNetwork(world)],
])

function ids(text: string | undefined): ReplicaId[] {
  return text === undefined || text === '' ? [] : text.split(',').map(Number)
}

function word(args: Args, at: number): string {
  const text = args.words[at]
  assert(text !== undefined, 'a word is missing')
  return text
}

/** The replicas of the first word, or all of them. */
function each(world: World, args: Args, action: (replica: Replica) => void): void {
  const chosen = args.words[0] === undefined ? [...world.replicas.keys()] : ids(args.words[0])
  for (const id of chosen) if (world.replica(id).alive) action(world.replica(id))
}

function on(world: World, args: Args, action: (replica: Replica) => void): void {
  const replica = world.replica(Number(word(args, 0)))
  world.act(replica, () => action(replica))
}

function setOptions(world: World, args: Args): void {
  for (const [key, value] of args.named) {
    assert(key in world.options, `no option ${key}`)
    world.options = { ...world.options, [key]: key === 'leaseReads' ? value === 'true' : Number(value) }
  }
}

function membership(args: Args): Membership {
  return { ...EMPTY_MEMBERSHIP, voters: ids(args.named.get('voters')), learners: ids(args.named.get('learners')) }
}

/** `add-nodes 3`: founders 1, 2, 3. `add-nodes 3 voters=1,2`: 3 starts with nothing. */
function addNodes(world: World, args: Args): void {
  const count = Number(word(args, 0))
  const everybody = Array.from({ length: count }, (_, i) => i + 1)
  const founding = args.named.has('voters') ? membership(args) : { ...EMPTY_MEMBERSHIP, voters: everybody }
  const founders = [...founding.voters, ...founding.learners]
  for (const id of everybody) world.add(id, blankDisk(founders.includes(id) ? founding : null))
}

/** `add-node 1 voters=1,2,3 log=1,1,2 term=3 vote=0 commit=1`: a replica with a past; `log` holds the terms of its entries. */
function addNode(world: World, args: Args): void {
  const terms = ids(args.named.get('log'))
  const number = (key: string): number => Number(args.named.get(key) ?? 0)
  const entries: Entry[] = terms.map((term, i) => ({ index: i + 1, term: term as number, type: 0, data: Buffer.from(`t${term}i${i + 1}`) }))
  const hardState = { term: number('term'), vote: number('vote'), commit: number('commit') }
  const disk = blankDisk(args.named.has('voters') ? membership(args) : null)
  world.add(Number(word(args, 0)), { ...disk, hardState, entries, history: entries.slice(0, hardState.commit).map(showEntry) })
}

function told(world: World, result: ProposeResult): void {
  world.say(result.ok ? `proposed ${result.term}/${result.index}` : `refused: ${result.reason}`)
}

function propose(world: World, args: Args): void {
  on(world, args, (replica) => told(world, replica.core.propose(Buffer.from(word(args, 1)))))
}

/** `propose-many 1 100`: that many entries at once, named by number. */
function proposeMany(world: World, args: Args): void {
  on(world, args, (replica) => {
    for (let i = 1; i <= Number(word(args, 1)); i++) assert(replica.core.propose(Buffer.from(`n${i}`)).ok, 'not proposed')
  })
}

function proposeMembership(world: World, args: Args): void {
  on(world, args, (replica) => told(world, replica.core.proposeMembership(membership(args))))
}

function transfer(world: World, args: Args): void {
  on(world, args, (replica) => world.say(replica.core.transferLeadership(Number(word(args, 1))) ? 'asked' : 'refused'))
}

/** `read 1 7`: replica 1 asks for read point #7. */
function read(world: World, args: Args): void {
  on(world, args, (replica) => world.say(replica.core.readIndex(Number(word(args, 1))) ? 'asked' : 'refused: no leader'))
}

/** `tick 1,2 5`: five ticks each, in turn. */
function tick(world: World, args: Args): void {
  for (let i = 0; i < Number(args.words[1] ?? 1); i++) {
    each(world, args, (replica) => world.act(replica, () => replica.core.tick()))
  }
}

/** All writes of a replica, or that many of the oldest. */
function persist(world: World, args: Args): void {
  each(world, args, (replica) => {
    const sent = world.network.length
    const most = Number(args.words[1] ?? Infinity)
    for (let i = 0; i < most && world.persist(replica); i++);
    for (const { message } of world.network.slice(sent)) world.say(`${replica.id} -> ${message.to} ${traceMessage(message)}`)
  })
}

function filter(args: Args): (message: PeerMessage) => boolean {
  const from = ids(args.named.get('from'))
  const to = ids(args.named.get('to'))
  const type = args.named.get('type')
  return (message) =>
    (from.length === 0 || from.includes(message.from)) &&
    (to.length === 0 || to.includes(message.to)) &&
    (type === undefined || type === message.type)
}

function deliver(world: World, args: Args): void {
  for (const frame of world.take(filter(args))) world.deliver(frame)
}

function drop(world: World, args: Args): void {
  const dropped = world.take(filter(args))
  for (const { message } of dropped) world.say(`${message.from} => ${message.to} ${traceMessage(message)} (dropped)`)
}

/** `hold late from=2`: takes those messages off the network; `release late` sends a copy of them, as often as wanted. */
function hold(world: World, args: Args): void {
  const frames = world.take(filter(args))
  assert(frames.length > 0, 'nothing to hold')
  world.held.set(word(args, 0), frames)
  for (const { message } of frames) world.say(`held: ${message.from} -> ${message.to} ${traceMessage(message)}`)
}

function release(world: World, args: Args): void {
  const frames = world.held.get(word(args, 0))
  assert(frames !== undefined, `nothing is held as ${word(args, 0)}`)
  for (const frame of frames) world.deliver(frame)
}

function stabilize(world: World, args: Args): void {
  world.stabilize(new Set(args.words[0] === undefined ? world.replicas.keys() : ids(args.words[0])))
}

/** `cut 1 2,3`: nothing passes between 1 and these, either way. */
function cut(world: World, args: Args): void {
  for (const a of ids(word(args, 0))) {
    for (const b of ids(word(args, 1))) world.cut.add(`${a}>${b}`).add(`${b}>${a}`)
  }
}

/** Everything that is not durable is lost, but for the `survive` oldest writes, and what was on its way to it. */
function crash(world: World, args: Args): void {
  on(world, args, (replica) => {
    replica.crash(Number(args.named.get('survive') ?? 0), false)
    world.take((message) => message.to === replica.id)
  })
}

function restart(world: World, args: Args): void {
  on(world, args, (replica) => {
    replica.restart()
    world.checker.restarted(replica)
  })
}

function compact(world: World, args: Args): void {
  on(world, args, (replica) => replica.compact(Number(args.named.get('keep') ?? 0)))
}

function unreachable(world: World, args: Args): void {
  on(world, args, (replica) => replica.core.unreachable(Number(word(args, 1))))
}

/** The entries in memory, as runs of one term. */
function showLog(world: World, replica: Replica): void {
  const { first, last, commit, applied, durable } = replica.core.status()
  const runs: string[] = []
  for (let index = first, start = first; index <= last; index++) {
    const term = replica.core.termAt(index)
    if (replica.core.termAt(index + 1) === term) continue
    runs.push(start === index ? `${term}/${index}` : `${term}/${start}-${index}`)
    start = index + 1
  }
  world.answer(`${replica.id}: log [${runs.join(' ')}] durable ${durable} commit ${commit} applied ${applied}`)
}

function showProgress(world: World, replica: Replica): void {
  for (const peer of replica.core.status().progress) {
    const notes = `${peer.active ? '' : ' inactive'}${peer.learner ? ' learner' : ''}`
    world.answer(`${peer.replica}: ${peer.state} match ${peer.match} next ${peer.next}${notes}`)
  }
}

function showNetwork(world: World): void {
  for (const { message } of world.network) world.answer(`${message.from} -> ${message.to} ${traceMessage(message)}`)
}
