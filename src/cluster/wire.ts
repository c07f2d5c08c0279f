/** The messages of the cluster floor: type -> who says what to whom. `docs/wire.md` is held equal to it. */
export const CLUSTER_WIRE = {
  formation_state: 'node -> node: [id, uid, url, version, formation | null]; what I am, while I look for or have a cluster',
  node_ping: 'node -> node: null; are you there?',
  node_pong: 'node -> node: null',
  cluster_status: 'node -> node: null; what do your replicas say of their groups?',
  cluster_status_reply: 'node -> node: [[group, role, leader replica, term, commit, applied]…]',
} as const
