/**
 * Makes a fresh clone runnable: installs the packages of the lock file and compiles, each only where it is
 * missing or older than its source. Prints to standard error, so that standard output stays the program's.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

function run(command, args, what) {
  process.stderr.write(`${what}\n`)
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2] })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

function modified(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0
}

/** The newest change below a folder, tests left out: they are not compiled. */
function newest(folder) {
  let latest = 0
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts') || entry.name.endsWith('.test.ts')) continue
    latest = Math.max(latest, modified(join(entry.parentPath ?? entry.path, entry.name)))
  }
  return latest
}

export function ensureInstalled() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) {
    process.stderr.write(`tricord needs Node 20.19 or newer; this is ${process.versions.node}\n`)
    process.exit(2)
  }
  const installed = join(ROOT, 'node_modules', '.package-lock.json')
  if (modified(installed) >= modified(join(ROOT, 'package-lock.json'))) return
  if (existsSync(installed) && modified(join(ROOT, '.git')) === 0) return
  // Not `npm ci`: it refuses a lock file without the optional binaries of other platforms, which npm itself leaves out.
  run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], 'installing packages …')
}

export function ensureBuilt() {
  const stamp = join(ROOT, 'dist', '.tsbuildinfo')
  const sources = Math.max(newest(join(ROOT, 'src')), newest(join(ROOT, 'bench')), modified(join(ROOT, 'tsconfig.build.json')))
  if (modified(stamp) > sources) return
  run(process.execPath, [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json'], 'compiling …')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  ensureInstalled()
  ensureBuilt()
}
