/**
 * Names of things, branded so that one cannot be passed where another is meant.
 *
 *   NodeId     "n1"            a process and its disk, as configured
 *   MemberId   1, 2, 3 …       a node's number in this cluster, given by `meta`, never reused
 *   ReplicaId  member * 1024 + life   one life of one member's replica of a group. A replica that lost
 *              its disk comes back under a new life, so no old vote or acknowledgement can count for it
 *   GroupId    0 meta, 1 locks, 2 + i partition i
 *   Incarnation  the number of a node's boot, strictly rising on one disk
 */
import { assert } from './assert.ts'

declare const brand: unique symbol
type Brand<T, B extends string> = T & { readonly [brand]?: B }

export type NodeId = Brand<string, 'NodeId'>
export type MemberId = Brand<number, 'MemberId'>
export type ReplicaId = Brand<number, 'ReplicaId'>
export type GroupId = Brand<number, 'GroupId'>
export type Incarnation = Brand<number, 'Incarnation'>
export type Term = Brand<number, 'Term'>
export type LogIndex = Brand<number, 'LogIndex'>
/** Milliseconds, a duration or a point of a clock that the name of the variable tells. */
export type Millis = Brand<number, 'Millis'>

export const LIVES_PER_MEMBER = 1024

/** No replica: nobody voted for, no leader known. */
export const NOBODY: ReplicaId = 0

export function replicaId(member: MemberId, life: number): ReplicaId {
  assert(member > 0 && life >= 0 && life < LIVES_PER_MEMBER, `replica life out of range: ${member}/${life}`)
  return member * LIVES_PER_MEMBER + life
}

export function memberOf(replica: ReplicaId): MemberId {
  return Math.floor(replica / LIVES_PER_MEMBER)
}

export function lifeOf(replica: ReplicaId): number {
  return replica % LIVES_PER_MEMBER
}

export const META_GROUP: GroupId = 0
export const LOCKS_GROUP: GroupId = 1
export const FIRST_PARTITION: GroupId = 2

export function partitionGroup(partition: number): GroupId {
  return FIRST_PARTITION + partition
}

/** The public name of a group: `meta`, `locks`, `p0`, `p1`, … */
export function groupName(group: GroupId): string {
  if (group === META_GROUP) return 'meta'
  if (group === LOCKS_GROUP) return 'locks'
  return `p${group - FIRST_PARTITION}`
}
