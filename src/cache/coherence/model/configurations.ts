/**
 * What is explored. The small ones to the end in every run of the tests; the large ones, and ways by lot with everything on,
 * as far as `CACHE_MODEL_STATES` says.
 */
import type { Settings } from './settings.ts'

type Configuration = Partial<Settings> & { readonly name: string }

const ONE = { nodes: 1, loads: 1 }
const TWO = { nodes: 2, loads: 3, grants: 4 }
/** A node has written a line alone, and not flushed it. */
export const OWNED: readonly RegExp[] = [/n0 claims/, /getM of n0/, /committed/, /applies/, /dataX to n0/, /n0 stores/]

/** Seen to the end, in some seconds each. */
export const SMALL: readonly Configuration[] = [
  { name: 'two writes', ...TWO, writes: 2, preparing: true },
  { name: 'a write and a look, evictions', ...TWO, looks: 1, evictions: true },
  { name: 'three nodes', nodes: 3, loads: 3, grants: 4 },
  { name: 'a lease that ends', ...ONE, time: 3, tries: 3, grants: 2 },
  { name: 'a sharer that restarts', ...TWO, crashes: 1 },
  { name: 'a failover', ...ONE, terms: 2, tries: 2, sessions: false, deposed: true, grants: 3 },
  {
    name: 'a failover with all that lags',
    ...ONE,
    terms: 2,
    looks: 1,
    grants: 2,
    sessions: false,
    deposed: true,
    lagging: true,
    preparing: true,
  },
  { name: 'a failover and a sharer that restarts', ...ONE, loads: 2, terms: 2, crashes: 1, grants: 2, sessions: false },
  { name: 'two failovers', ...ONE, terms: 3, grants: 2, sessions: false },
  { name: 'a sharer that leaves and comes back', ...ONE, loads: 2, leaves: true, crashes: 1, tries: 2, grants: 2 },
  { name: 'a sharer that leaves, and a failover', ...ONE, terms: 2, leaves: true, tries: 2, grants: 2 },
  { name: 'a sharer that leaves while it is let in', ...ONE, loads: 2, sessions: false, leaves: true, crashes: 1, tries: 2, grants: 2 },
  { name: 'owners of a line, evictions', nodes: 2, loads: 3, grants: 4, owners: true, evictions: true },
  { name: 'owners that let their lines go', ...TWO, grants: 3, owners: true, releases: true },
  { name: 'an owner and a failover', ...ONE, terms: 2, tries: 2, grants: 1, owners: true, releases: true, sessions: false },
  {
    name: 'an owner, a write that is refused, a failover',
    ...ONE,
    loads: 2,
    terms: 2,
    tries: 2,
    writes: 2,
    grants: 2,
    owners: true,
    begin: [...OWNED, /proposes put/],
  },
  { name: 'an owner whose lease ends', ...ONE, loads: 2, time: 2, tries: 2, grants: 2, owners: true, lossy: true },
  // Nobody else asks for the line, so nothing may be lost.
  { name: 'an owner that asks for its line again', ...ONE, loads: 3, time: 2, tries: 2, grants: 3, owners: true, begin: OWNED },
  { name: 'owners that may have waited long enough', ...TWO, grants: 3, owners: true, givesUp: true },
  { name: 'owners, one restarts', ...TWO, owners: true, crashes: 1, lossy: true },
  {
    name: 'an owner that restarts and asks again',
    ...ONE,
    loads: 3,
    tries: 2,
    grants: 3,
    owners: true,
    crashes: 1,
    lossy: true,
    begin: OWNED,
  },
  { name: 'copies of a client, evictions', ...TWO, lends: true, evictions: true },
  { name: 'leases of a client', ...ONE, loads: 1, time: 2, tries: 2, grants: 2, lends: true },
  { name: 'a client and a failover', ...ONE, terms: 2, tries: 2, grants: 2, sessions: false, lends: true },
  { name: 'a client and a node that stops', ...ONE, loads: 1, time: 1, tries: 2, leaves: true, grants: 2, lends: true },
  { name: 'a client and a node that restarts', ...ONE, loads: 2, time: 1, tries: 2, crashes: 1, grants: 2, lends: true },
]

export const LARGE: readonly Configuration[] = [
  { name: 'two writes, four reads', ...TWO, loads: 4, writes: 2, grants: 5, evictions: true },
  { name: 'three nodes, four reads', nodes: 3, loads: 4, grants: 5 },
  { name: 'leases of two nodes', nodes: 2, time: 2, tries: 2, grants: 3 },
  { name: 'leases, longer', ...ONE, loads: 2, time: 4, tries: 3, grants: 3 },
  { name: 'a failover of two nodes', nodes: 2, loads: 2, terms: 2, tries: 2, grants: 3 },
  { name: 'a failover in time', ...ONE, terms: 2, tries: 2, time: 3, grants: 2 },
  { name: 'two failovers, a sharer that restarts', ...ONE, loads: 2, terms: 3, crashes: 1, grants: 2, sessions: false },
  { name: 'owners of a line, two writes', nodes: 2, loads: 3, writes: 2, grants: 5, owners: true },
  { name: 'owners whose leases end', nodes: 2, loads: 4, time: 2, tries: 2, owners: true, lossy: true },
  { name: 'owners that let their lines go, four reads', nodes: 2, loads: 4, grants: 5, owners: true, releases: true },
  { name: 'owners of three nodes and a failover', nodes: 3, loads: 4, terms: 2, grants: 3, owners: true, releases: true },
  { name: 'an owner that asks again, lets go', ...ONE, loads: 4, time: 2, tries: 3, grants: 3, owners: true, releases: true, begin: OWNED },
  {
    name: 'an owner that may have waited long enough, four grants',
    ...ONE,
    loads: 3,
    grants: 4,
    owners: true,
    releases: true,
    givesUp: true,
  },
  { name: 'owners in time, one may have waited long enough', ...TWO, time: 2, tries: 2, owners: true, lossy: true, givesUp: true },
  { name: 'a client, two nodes, two writes', ...TWO, loads: 4, writes: 2, grants: 5, lends: true, evictions: true },
  { name: 'a client, longer leases', ...ONE, loads: 2, time: 3, tries: 3, grants: 3, lends: true },
  { name: 'a client, a failover in time', ...ONE, terms: 2, tries: 2, time: 2, grants: 2, lends: true },
]

/** Everything at once, for ways by lot. */
const ALL: Configuration = {
  name: 'everything',
  nodes: 3,
  terms: 3,
  loads: 8,
  writes: 4,
  looks: 2,
  time: 8,
  tries: 8,
  grants: 20,
  evictions: true,
  crashes: 2,
  preparing: true,
  sessions: false,
  lagging: true,
  deposed: true,
}

const OWNERS = { owners: true, releases: true, givesUp: true, writes: 6, logged: 2 }

export const WAYS: readonly Configuration[] = [
  ALL,
  { ...ALL, ...OWNERS, name: 'everything, with owners', lossy: true },
  { ...ALL, ...OWNERS, name: 'owners that keep their leases', time: 0, crashes: 0 },
]
