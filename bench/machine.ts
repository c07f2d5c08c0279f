/** What a benchmark ran on: printed above its figures. */
import { execFileSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'

export function describeMachine(): string {
  const nats = execFileSync('nats-server', ['--version']).toString().trim()
  const [cpu] = cpus()
  return `${cpu?.model.trim()} x ${cpus().length}, ${Math.round(totalmem() / 2 ** 30)} GiB, node ${process.version}, ${nats}`
}
