/** Commands against a running node: one HTTP call each, a readable answer. */
import type { Millis } from '../base/ids.ts'
import type { ClusterStatus } from '../cluster/types.ts'

/** An answer that was not 2xx, or no answer; the text is for a person. */
export class CallError extends Error {
  override readonly name = 'CallError'
}

/** A node that is paused takes the connection, and says nothing. */
const ANSWER_MS: Millis = 15_000

export async function callNode(url: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const [ok, status, text] = await send(url, method, path, body)
  const answer = parse(text)
  if (answer === undefined) throw new CallError(`${url} is no node of Tricord: it answers ${status} and no JSON`)
  if (ok) return answer
  const { code, detail, title } = (answer ?? {}) as Readonly<Record<string, unknown>>
  throw new CallError(code === undefined ? `${url} is no node of Tricord: it answers ${status}` : `${status} ${code}: ${detail ?? title}`)
}

async function send(url: string, method: string, path: string, body: unknown): Promise<[ok: boolean, status: number, text: string]> {
  if (!URL.canParse(path, url)) throw new CallError(`--url ${url}: expected an address like http://127.0.0.1:8080`)
  try {
    const init = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    const response = await fetch(new URL(path, url), { method, ...init, signal: AbortSignal.timeout(ANSWER_MS) })
    return [response.ok, response.status, await response.text()]
  } catch (error) {
    const { message, cause } = error as Error
    throw new CallError(`${url} does not answer: ${cause instanceof Error ? cause.message : message}`)
  }
}

/** Undefined: no JSON. */
function parse(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text)
  } catch {
    return undefined
  }
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export function formatStatus(status: ClusterStatus): string {
  const led = new Map<string, number>()
  for (const { leader } of status.groups) if (leader) led.set(leader, (led.get(leader) ?? 0) + 1)
  const carried = (id: string) => status.groups.filter((group) => group.replicas.includes(id)).length
  const head = `cluster ${status.cluster}  epoch ${status.epoch}  lock leader ${status.leader ?? 'none'}  quorum ${status.quorum ? 'yes' : 'NO'}`
  const rows = status.nodes.map((node) => [
    node.id,
    node.state,
    String(led.get(node.id) ?? 0),
    String(carried(node.id)),
    node.url,
    node.version,
  ])
  const leaderless = status.groups.filter((group) => group.leader === null).map((group) => group.id)
  const tail = leaderless.length > 0 ? `\nwithout a leader: ${leaderless.join(' ')}` : ''
  return `${head}\n\n${table([['NODE', 'STATE', 'LEADS', 'REPLICAS', 'URL', 'VERSION'], ...rows])}${tail}\n`
}

export async function printStatus(url: string, json: boolean): Promise<void> {
  const status = (await callNode(url, 'GET', '/v1/cluster/status')) as ClusterStatus | null
  if (!Array.isArray(status?.nodes) || !Array.isArray(status.groups)) throw new CallError(`${url} is no node of Tricord`)
  process.stdout.write(json ? `${JSON.stringify(status, null, 2)}\n` : formatStatus(status))
}

export async function addMember(url: string, id: string): Promise<void> {
  await callNode(url, 'POST', '/v1/cluster/members', { id })
  process.stdout.write(`${id} may come: start it with \`tricord node --join\`\n`)
}

export async function removeMember(url: string, id: string): Promise<void> {
  await callNode(url, 'DELETE', `/v1/cluster/members/${encodeURIComponent(id)}`)
  process.stdout.write(`${id} is leaving; stop it once \`tricord status\` does not show it any more\n`)
}
