/** Runs a compiled entry point, setting up first: `node scripts/run.mjs src/sim/main.js --seed 1`. */
import { join } from 'node:path'
import { ensureBuilt, ensureInstalled, ROOT } from './setup.mjs'

ensureInstalled()
ensureBuilt()
const [entry] = process.argv.splice(2, 1)
await import(join(ROOT, 'dist', entry))
