/** Calls of the HTTP interface of an embedded cluster, as tests make them; every answer is held to what OpenAPI tells of it. */
import { expect } from 'vitest'
import type { EmbeddedCluster } from '../src/embedded.ts'
import { untold } from './told-answer.ts'

export interface Answered {
  readonly status: number
  readonly body: Record<string, any> // oxlint-disable-line typescript/no-explicit-any -- answers are looked into by the tests
}

export type Send = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
  signal?: AbortSignal,
) => Promise<Answered>

/** `path` is below /v1. A body that is a string is sent as it is. */
export function apiOf(cluster: () => EmbeddedCluster, node = 0): Send {
  return async (method, path, body, headers = {}, signal) => {
    const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' }
    const response = await fetch(`${cluster().nodes[node]?.url}/v1${path}`, {
      method,
      headers: { ...type, ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      ...(signal && { signal }),
    })
    const answer = (await response.json()) as Answered['body']
    expect(untold(method, path, response.status, answer)).toBe('')
    return { status: response.status, body: answer }
  }
}
