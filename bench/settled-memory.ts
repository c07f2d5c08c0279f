/** The memory that a process of `--expose-gc` needs for what it holds: heap and buffers, in bytes. */
export async function settledMemory(): Promise<number> {
  // The memory of arrays is given back by a later collection than the one that finds them, and in a later turn.
  for (let nth = 0; nth < 3; nth++) {
    await new Promise((resolve) => void setImmediate(resolve))
    globalThis.gc?.()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
