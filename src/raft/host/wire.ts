/**
 * Every message type that the Raft host and the proposers exchange, with its payload's positions. `docs/wire.md` is
 * checked against this table. `group` is a GroupId, `from` and `to` are ReplicaIds; flags are 0 or 1.
 */
export const WIRE = {
  request_vote: { says: 'a candidate asks for a vote', fields: 'group from to term pre_vote last_index last_term transfer' },
  vote_response: {
    says: 'the answer to request_vote, durable before it is sent',
    fields: 'group from to term pre_vote granted commit commit_term',
  },
  append_entries: {
    says: 'the leaders of many groups replicate: one list per peer and turn; entries are flat: term, type, data',
    fields: '(group from to term prev_index prev_term commit entries)*',
  },
  append_response: {
    says: 'entries up to index are durable, or (reject) the logs differ',
    fields: '(group from to term index reject hint_index hint_term)*',
  },
  heartbeat: {
    says: 'the leaders of many groups are alive: one list per peer and tick',
    fields: '(group from to term commit read_seq quiesce)*',
  },
  heartbeat_response: { says: 'the answers to heartbeat, in one list', fields: '(group from to term read_seq quiesced)*' },
  timeout_now: { says: 'the leader hands over: campaign at once', fields: 'group from to term' },
  read_index: { says: 'a follower asks for a linearizable read point', fields: 'group from to term read_id' },
  read_index_response: { says: 'the read point, or a refusal', fields: 'group from to term read_id index reject' },
  snapshot_chunk: {
    says: "a piece of the leader's state: chunk 0 is the header, the others are records",
    fields: 'group from to term stream sequence last crc32 bytes',
  },
  snapshot_chunk_response: {
    says: 'chunks before `next` are stored; status 0 go on, 1 installed or not needed, 2 given up, 3 not for a while: its disk has no room',
    fields: 'group from to stream next status',
  },
  propose: {
    says: 'commands of one client for one group, forwarded to its leader; repeat: some may have been sent before; essential: taken though the disk is low',
    fields: 'group hops parcel client repeat essential traceparents bytes',
  },
  propose_reply: {
    says: 'answers, flat: sequence, status (0 done, 1 waits, 2 settled after a wait, 3 refused: [[code, message], after a wait]), reply',
    fields: '(group client answers)*',
  },
  propose_refused: { says: 'no command of the parcel was taken', fields: 'group client parcel code message' },
  query: {
    says: 'a read, at the leader after a read-index round or (stale) at once; with a key: what became of its command',
    fields: 'group hops stale repeat key request',
  },
  query_reply: { says: 'the answer to query', fields: 'reply applied_index time' },
  group_leader: {
    says: 'to the proposers of the node, to those of others that it led for, and to nodes without a replica for theirs: a group has a (new) leader',
    fields: 'group term node',
  },
  raft_tick: { says: 'the host to itself: a tick has passed', fields: '' },
} as const satisfies Record<string, { readonly says: string; readonly fields: string }>

export type WireType = keyof typeof WIRE

/** Statuses of propose_reply. */
export const DONE = 0
export const WAITING = 1
export const SETTLED = 2
export const REFUSED = 3

/** Statuses of snapshot_chunk_response. */
export const CHUNK_GO_ON = 0
export const CHUNK_DONE = 1
export const CHUNK_GIVEN_UP = 2
export const CHUNK_LATER = 3

/** Where the host lives on every node. */
export const RAFT_PATH = 'raft'
