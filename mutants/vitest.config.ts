/** The mutants have a configuration of their own: they take minutes, two at a time. */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: { include: ['mutants/*.test.ts'], testTimeout: 600_000, maxConcurrency: 2, maxWorkers: 1 },
})
