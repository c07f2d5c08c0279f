/** Holds real answers to what OpenAPI tells of them. */
import type { z } from 'zod'
import { problemAnswer, waitingAnswer } from '../src/api/answer-schemas.ts'
import { OPERATIONS, type TAGS } from '../src/api/openapi.ts'

const ROUTES = OPERATIONS.map((operation) => ({
  ...operation,
  pattern: new RegExp(`^${operation.path.replace('/v1', '(?:/v1)?').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
}))

/** `get /v1/ring` and the like: those that were held to their schemas so far. */
export const held = new Set<string>()
/** Those under this tag that have one. */
export function toldRoutes(of: (typeof TAGS)[number]): string[] {
  return OPERATIONS.filter(({ tag, answer }) => tag === of && answer !== undefined).map(({ method, path }) => `${method} ${path}`)
}

/** What is wrong with a JSON answer; '': it is as it was told, or nothing was told of it. */
export function untold(method: string, path: string, status: number, body: unknown): string {
  const schema = schemaOf(method, path.split('?')[0] ?? '', status)
  const found = schema?.safeParse(body)
  return found === undefined || found.success ? '' : `${method} ${path} ${status}: ${found.error.message}`
}

function schemaOf(method: string, path: string, status: number): z.ZodType | undefined {
  if (status >= 400) return problemAnswer
  const route = ROUTES.find((one) => one.method === method.toLowerCase() && one.pattern.test(path))
  if (status === 202) return route?.others?.[202]?.answer ?? waitingAnswer
  if (status >= 300 || status === 204) return undefined
  if (route?.answer !== undefined) held.add(`${route.method} ${route.path}`)
  return route?.answer
}
