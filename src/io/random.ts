/** The only source of chance: seeded in the simulator, from the operating system elsewhere. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number
  /** Uniform integer in [0, bound). */
  below(bound: number): number
  /** `length` random bytes; unguessable where the process is real (secrets, ids). */
  bytes(length: number): Uint8Array
}
