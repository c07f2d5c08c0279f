import { defineConfig } from 'vitest/config'

/** What is polled for comes on a busy machine, too: the default of a second is for idle ones. */
const expect = { poll: { timeout: 20_000 } }

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/*.test.ts', 'test/scenarios/*.test.ts', 'test/conformance/*.test.ts'],
          // Models and simulations, four times what they took on a machine with ten times more to do.
          testTimeout: 240_000,
          hookTimeout: 60_000,
          expect,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          expect,
        },
      },
    ],
  },
})
