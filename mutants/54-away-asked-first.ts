/** A node that began while a host of a group was away sends all that is for the group to that host first: each command takes seconds. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'away-asked-first',
  pitfall: 0,
  harm: 'A node that began while a host of a group was away sends all that is for the group to that host first: each command takes seconds.',
  file: 'src/raft/host/router.ts',
  find: 'return [...hosts.filter((node) => up.has(node)), ...hosts.filter((node) => !up.has(node))]',
  replace: 'return hosts.filter((node) => up.size >= 0 || node)',
  killedBy: namedTest(
    'src/cluster/cluster.test.ts',
    'a node that begins while a host of a group is away sends what is for the group to those that are there',
  ),
}
