/** The messages of the cluster floor: type -> who says what to whom. `docs/wire.md` is held equal to it. */
export const CLUSTER_WIRE = {
  formation_state: 'node -> node: [id, uid, url, version, formation | null]; what I am, while I look for or have a cluster',
  node_ping: 'node -> node: [room on my disk (0 enough, 1 low, 2 full), my time]; are you there?',
  node_pong: 'node -> node: [room on my disk, the time that the ping carried]',
  node_ending: 'node -> node: null; I lead nothing any more, and am about to end',
  cluster_status: 'node -> node: null; what do your replicas say of their groups?',
  cluster_status_reply:
    'node -> node: [epoch, [[group, leading member, leads, term, commit, applied, members of the group, its voters, bytes of its state]…]]',
  join_cluster: 'new node -> member: [id, uid, url, version]; make me a member',
  join_cluster_reply: 'member -> new node: [formation, member number, members and table]',
  redistribute:
    'node -> nodes of a group: [epoch, takes, asks, offers, wants the table]; lists of [group, replica]; takes: let me in, as the ' +
    'table says; asks: am I out of it?; offers: I lead it, take this if you have it',
  redistribute_reply:
    'leader -> node: [epoch of the question, outs, members and table | null]; outs: [group, replica, term]: out as of this term',
} as const
