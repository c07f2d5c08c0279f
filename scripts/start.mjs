/** `npm start`: sets up a fresh clone, then runs the embedded cluster. Arguments go to `tricord dev`. */
import { ensureBuilt, ensureInstalled } from './setup.mjs'

ensureInstalled()
ensureBuilt()
process.argv.splice(2, 0, 'dev')
await import('../dist/src/main.js')
