/**
 * The one command that passes the tests: installs what is missing (packages; nats-server and openssl from Debian where
 * there are none), compiles (the process tests run the compiled program), checks, and runs every test. Arguments go to vitest.
 */
import { spawnSync } from 'node:child_process'
import { ensureBuilt, ensureInstalled, ROOT } from './setup.mjs'

function has(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined
}

function sh(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] })
  if (error) throw error
  return status ?? 1
}

function ensurePrograms() {
  const missing = ['nats-server', 'openssl'].filter((program) => !has(program))
  if (missing.length === 0) return
  const root = process.getuid?.() === 0
  if (!has('apt-get') || !(root || has('sudo'))) {
    process.stderr.write(
      'the process tests need ' + missing.join(' and ') + ' on the PATH (nats-server 2.9 or newer: https://nats.io/download)\n',
    )
    process.exit(2)
  }
  const apt = (...args) => (root ? sh('apt-get', args) : sh('sudo', ['apt-get', ...args]))
  if (apt('update', '-qq') !== 0 || apt('install', '-y', '-qq', '--no-install-recommends', ...missing) !== 0) process.exit(2)
}

ensureInstalled()
ensurePrograms()
ensureBuilt()
const given = process.argv.slice(2)
if (given.length === 0 && sh('npm', ['run', '--silent', 'check']) !== 0) process.exit(1)
process.exit(sh(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...given]))
